import type { Change, Comparison } from './comparison.ts';

/** One of the comparisons that make up an answer. */
export interface Part {
  readonly comparison: Comparison;
  /** Which earlier version was looked at, from 1 (the oldest); undefined for the newest. */
  readonly version: number | undefined;
}

/**
 * One answer out of those of several versions and directions. What was already said of a newer version is not said again, and what
 * is breaking in one direction is not told as harmless in the other.
 * @param parts the newest version's first
 */
export const mergeComparisons = (parts: readonly Part[]): Comparison => {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0 && only.version === undefined) return only.comparison;
  const told = new Map<string, Change>();
  for (const { comparison, version } of parts) {
    for (const change of comparison.changes) {
      const { rule, path, severity, message } = change;
      const key = JSON.stringify([rule, path, severity, message]);
      if (!told.has(key)) told.set(key, version === undefined ? change : { ...change, version });
    }
  }
  const all = [...told.values()];
  const breaking = all.filter(({ severity }) => severity === 'breaking');
  const broken = new Set(breaking.map(({ rule, path }) => `${rule} ${path}`));
  return {
    compatible: parts.every(({ comparison }) => comparison.compatible),
    changes: all.filter(
      ({ rule, path, severity }) => severity === 'breaking' || !broken.has(`${rule} ${path}`),
    ),
  };
};
