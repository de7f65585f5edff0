/** How many single changes (insert, remove, replace, swap two neighbours) lead from one word to the other. */
const distance = (from: string, to: string): number => {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const replaced = (previous[column - 1] ?? 0) + (same ? 0 : 1);
      const inserted = Math.min(previous[column] ?? 0, current[column - 1] ?? 0) + 1;
      const crossed =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = crossed ? (beforePrevious[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(replaced, inserted, swapped));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
};

/** ` Did you mean "status"?` when one of the known words is close or begins alike, else nothing. */
export const suggestion = (given: string, known: readonly string[]): string => {
  const near = known
    .map((word) => ({ word, far: word.startsWith(given) && given.length > 1 ? 0 : distance(given, word) }))
    .filter(({ word, far }) => far <= Math.max(1, Math.floor(word.length / 3)))
    .sort((left, right) => left.far - right.far);
  return near[0] === undefined ? '' : ` Did you mean "${near[0].word}"?`;
};
