import type { DryRunError, DryRunOutcome } from '../../consumers/index.ts';
import type { TableChange } from '../../postgres/index.ts';
import { type RefusedEvent, refusedEvent } from './check-against-log.ts';
import type { LogSample, SampledSpan } from './sample.ts';

/** What a dry run of one consumer over a sample came to. JSON, without the values of anybody's data. */
export interface DryRunSummary {
  readonly consumer: string;
  readonly span: SampledSpan;
  readonly events: number;
  readonly outcomes: Readonly<Record<DryRunOutcome['outcome'], number>>;
  /** The most frequent first. */
  readonly failures: readonly DryRunFailure[];
  /** How often each effect would have been carried out. */
  readonly effects: Readonly<Record<string, number>>;
  readonly published: Readonly<Record<string, number>>;
  readonly changes: readonly TableChange[];
  /** Of a folding projection: in how many rows a column would be another. */
  readonly columns: Readonly<Record<string, number>>;
}

/** Failures that look alike. */
export interface DryRunFailure extends DryRunError {
  /** Of the events, as it stands in the log. */
  readonly type: string;
  /** These events are parked by this consumer because they failed. */
  readonly parked: boolean;
  readonly count: number;
  /** The newest ones. */
  readonly events: readonly RefusedEvent[];
}

const eventsNamedMax = 20;

/** `outcomes`: of the sample's events, in their order. */
export const summariseDryRun = (
  consumer: string,
  sample: LogSample,
  outcomes: readonly DryRunOutcome[],
): DryRunSummary => {
  const count = (wanted: DryRunOutcome['outcome']): number =>
    outcomes.filter(({ outcome }) => outcome === wanted).length;
  return {
    consumer,
    span: sample.span,
    events: outcomes.length,
    outcomes: {
      'would-change': count('would-change'),
      'no-op': count('no-op'),
      'effect-attempted': count('effect-attempted'),
      error: count('error'),
    },
    failures: failuresOf(consumer, sample, outcomes),
    effects: tally(outcomes.flatMap(({ effects }) => effects)),
    published: tally(outcomes.flatMap(({ published }) => published.map(({ type }) => type))),
    changes: changesOf(outcomes),
    columns: tally(outcomes.flatMap(({ rows = [] }) => rows.flatMap(({ columns }) => columns))),
  };
};

const tally = (names: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, each]) => [name, each.length]));

const failuresOf = (
  consumer: string,
  { events }: LogSample,
  outcomes: readonly DryRunOutcome[],
): readonly DryRunFailure[] => {
  const failed = outcomes.flatMap(({ error, type }, index) => {
    const sampled = events[index];
    if (error === undefined || sampled === undefined) return [];
    const parked = sampled.parked.some((at) => at.consumer === consumer && at.failureClass !== null);
    return { error, type, parked, event: refusedEvent(sampled) };
  });
  const alike = Map.groupBy(failed, ({ error, type, parked }) =>
    JSON.stringify([type, parked, error.fingerprint]),
  );
  return [...alike.values()]
    .flatMap((each) => {
      const [first] = each;
      if (first === undefined) return [];
      return {
        ...first.error,
        type: first.type,
        parked: first.parked,
        count: each.length,
        events: each.slice(0, eventsNamedMax).map(({ event }) => event),
      };
    })
    .sort((a, b) => b.count - a.count);
};

const changesOf = (outcomes: readonly DryRunOutcome[]): readonly TableChange[] => {
  const byTable = Map.groupBy(
    outcomes.flatMap(({ changes }) => changes),
    ({ table }) => table,
  );
  const total = (changes: readonly TableChange[], of: 'inserted' | 'updated' | 'deleted'): number =>
    changes.reduce((sum, change) => sum + change[of], 0);
  return [...byTable].map(([table, changes]) => ({
    table,
    inserted: total(changes, 'inserted'),
    updated: total(changes, 'updated'),
    deleted: total(changes, 'deleted'),
  }));
};
