const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** Between 0 and 1; NaN of nothing. */
export const quantile = (values: readonly number[], share: number): number => {
  const all = sorted(values);
  return all[Math.min(all.length - 1, Math.floor(share * all.length))] ?? Number.NaN;
};

export const median = (values: readonly number[]): number => {
  const all = sorted(values);
  const middle = all.length >> 1;
  return all.length % 2 === 1
    ? (all[middle] ?? Number.NaN)
    : ((all[middle - 1] ?? Number.NaN) + (all[middle] ?? Number.NaN)) / 2;
};

/** Lowest and highest, as a share of the median. */
export const spread = (values: readonly number[]): readonly [number, number] => {
  const middle = median(values);
  return [Math.min(...values) / middle, Math.max(...values) / middle];
};
