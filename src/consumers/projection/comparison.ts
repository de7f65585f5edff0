/**
 * equal: every row is the same. differs: at least one is not. undecided: there was so much traffic that rows which differed
 * never stood still. incomparable: the tables have no key in common; only rows were counted.
 */
export type Verdict = 'equal' | 'differs' | 'undecided' | 'incomparable';

export interface Difference {
  /** The values of the primary key, as text. */
  readonly key: readonly string[];
  readonly where: 'only in live' | 'only in build' | 'both';
  /** Of a row that is in both: the columns that differ. */
  readonly columns: readonly string[];
  readonly live: Readonly<Record<string, unknown>> | null;
  readonly build: Readonly<Record<string, unknown>> | null;
}

export interface Comparison {
  readonly verdict: Verdict;
  readonly live: number;
  readonly build: number;
  /** Rows of each when they were counted. */
  readonly liveRows: number;
  readonly buildRows: number;
  /** Rows that differ; `atLeast` when not every differing range was looked at. */
  readonly different: number;
  readonly atLeast: boolean;
  readonly ranges: number;
  /** What was compared, and what only one of them has. */
  readonly columns: readonly string[];
  readonly otherColumns: readonly string[];
  readonly sample: readonly Difference[];
  readonly elapsedMs: number;
}

/** A comparison as it may be stored and shown to anybody: without the contents of rows, which may be personal. */
export const withoutValues = (comparison: Comparison): Comparison => ({
  ...comparison,
  sample: comparison.sample.map((each) => ({ ...each, live: null, build: null })),
});
