/** The lanes of one consumer, as far as their distribution is concerned. */
export interface Distribution {
  readonly consumerId: number;
  readonly lanes: number;
  /** Processes that may work it, in rising order of their ids; without one nobody gets a lane. */
  readonly eligible: readonly number[];
  /** How many lanes each process holds now. */
  readonly held: ReadonlyMap<number, number>;
}

/**
 * How many lanes of each consumer each process should hold: consumer id → process id → lanes. Every process computes the
 * same from the same picture. Of one consumer no two processes differ by more than one lane; the lanes left over
 * (every projection has only one) even out what each process holds in all. Lanes left over begin where they are held and
 * move only from a process to one that holds at least two fewer lanes, so the sum of squares falls with every move:
 * it ends, and from where it ends nothing moves again. Lanes move when a process joins or leaves, never back and forth.
 */
export const fairShares = (
  distributions: readonly Distribution[],
): ReadonlyMap<number, ReadonlyMap<number, number>> => {
  const burden = new Map<number, number>();
  const add = (process: number, lanes: number): void => {
    burden.set(process, (burden.get(process) ?? 0) + lanes);
  };
  const workable = distributions.filter((each) => each.eligible.length > 0);
  workable.sort((left, right) => left.consumerId - right.consumerId);
  for (const each of workable) for (const process of each.eligible) add(process, baseOf(each));
  const favoured = new Map(workable.map((each) => [each, beginning(each, burden, add)]));
  for (let moved = true; moved; ) {
    moved = false;
    for (const [each, processes] of favoured) {
      const from = heaviest([...processes], burden);
      const others = each.eligible.filter((process) => !processes.has(process));
      const to = lightest(others, burden);
      if (from === undefined || to === undefined || weight(from, burden) - weight(to, burden) < 2) continue;
      processes.delete(from);
      processes.add(to);
      add(from, -1);
      add(to, 1);
      moved = true;
    }
  }
  return new Map(
    workable.map((each) => {
      const share = (process: number): number => baseOf(each) + (favoured.get(each)?.has(process) ? 1 : 0);
      return [each.consumerId, new Map(each.eligible.map((process) => [process, share(process)]))];
    }),
  );
};

/** The processes that begin with one lane more than the base: who holds one already, then who holds least. */
const beginning = (
  each: Distribution,
  burden: ReadonlyMap<number, number>,
  add: (process: number, lanes: number) => void,
): Set<number> => {
  const chosen = new Set<number>();
  const holds = (process: number): boolean => (each.held.get(process) ?? 0) > baseOf(each);
  for (let leftOver = each.lanes % each.eligible.length; leftOver > 0; leftOver -= 1) {
    const rest = each.eligible.filter((process) => !chosen.has(process));
    const process = lightest(rest.filter(holds), burden) ?? lightest(rest, burden);
    if (process === undefined) break;
    chosen.add(process);
    add(process, 1);
  }
  return chosen;
};

const baseOf = (each: Distribution): number => Math.floor(each.lanes / each.eligible.length);

const weight = (process: number, burden: ReadonlyMap<number, number>): number => burden.get(process) ?? 0;

const lightest = (processes: readonly number[], burden: ReadonlyMap<number, number>): number | undefined =>
  processes.toSorted((left, right) => weight(left, burden) - weight(right, burden) || left - right)[0];

const heaviest = (processes: readonly number[], burden: ReadonlyMap<number, number>): number | undefined =>
  processes.toSorted((left, right) => weight(right, burden) - weight(left, burden) || left - right)[0];
