import type pg from 'pg';
import type { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { Within } from '../estimate/estimate.ts';
import { withinOf } from '../estimate/intervals.ts';
import type { ReplayedConsumer } from '../request/plan.ts';
import type { GroupSelection, LogSelection, Selection } from '../request/selection.ts';
import { type CountRequest, countLog, type LogCount, sampledAbove } from './count-log.ts';
import { type SampledRange, sampleRange } from './sampling.ts';
import { positionsWithin } from './time-bounds.ts';
import { bounded, matching, type PositionRange, refused, spanPositions, spans } from './walk.ts';

const sql = loadQueries<
  | 'freeze_span'
  | 'freeze_group'
  | 'count_matching'
  | 'count_joined'
  | 'exclude_parked'
  | 'exclude_past_facts'
  | 'exclude_unhandled'
  | 'excluded_counts'
  | 'selection_digest'
  | 'drop_freezes'
>(new URL('./freeze.sql', import.meta.url));

/** A replay that redelivers keeps one row per event: more would be a rebuild, not a repair. */
export const selectedMax = 100_000;

/** Instead of a digest of rows. */
export const wholeLog = 'the whole log';

export interface FreezeRequest extends Pick<CountRequest, 'clock' | 'signal' | 'sampledAbove'> {
  readonly id: number;
  readonly freeze: number;
  readonly consumer: ReplayedConsumer;
  /** Those of the consumer that the code at hand handles as well. */
  readonly types: readonly string[];
  readonly selection: Selection;
  /** Nothing can appear in the log up to here any more. */
  readonly settled: number;
  readonly compactedBelow: number;
  /** Its code passes over what entered by a backfill. */
  readonly skipsPastFacts: boolean;
}

export interface FrozenRows {
  readonly ceiling: number;
  readonly selected: number;
  /** Null: they were counted. Else what was estimated lies between these in 95 of 100 cases. */
  readonly selectedWithin: Within | null;
  readonly excluded: number;
  /** Why events that match can't be replayed, with their numbers. */
  readonly excludedBecause: Readonly<Record<string, number>>;
  /** Of the selected events; null where there is none. */
  readonly first: number | null;
  readonly last: number | null;
  /** SHA-256 over what was selected. */
  readonly digest: string;
  /** Of a whole log: what it holds, by type. */
  readonly log: LogCount | null;
}

/**
 * Writes the selection down, event by event. Where it is the whole log it is only counted, a long one by a sample. What is recorded
 * later lies above the ceiling.
 * @throws FactlineError REPLAY_SELECTION_REFUSED
 */
export const freezeSelection = async (pool: pg.Pool, request: FreezeRequest): Promise<FrozenRows> => {
  const { id, freeze, selection, consumer, settled } = request;
  if (selection.source === 'quarantine') await freezeGroup(pool, request, selection);
  else {
    assertSettled(selection, settled);
    if (consumer.class === 'projection') return freezeWhole(pool, { ...request, selection });
    await freezeLog(pool, { ...request, selection });
  }
  const { value } = await bounded(pool, async (client) => {
    if (selection.source === 'log') {
      await run(client, sql.exclude_parked, [id, freeze, consumer.id]);
      if (request.skipsPastFacts) await run(client, sql.exclude_past_facts, [id, freeze]);
      await run(client, sql.exclude_unhandled, [id, freeze, consumer.id]);
    }
    const counts = await run(client, sql.excluded_counts, [id, freeze]);
    const [digest] = await run(client, sql.selection_digest, [id, freeze]);
    return { counts, digest: String(digest?.['digest']) };
  });
  const excludedBecause: Record<string, number> = {};
  let chosen = { selected: 0, first: null as number | null, last: null as number | null };
  for (const row of value.counts) {
    const count = Number(row['count']);
    if (row['why'] !== '') excludedBecause[String(row['why'])] = count;
    else chosen = { selected: count, first: Number(row['first']), last: Number(row['last']) };
  }
  const excluded = Object.values(excludedBecause).reduce((sum, count) => sum + count, 0);
  refuseNothing(request, chosen.selected, excludedBecause);
  const ceiling = ceilingOf(selection, settled);
  const { digest } = value;
  return { ceiling, ...chosen, selectedWithin: null, excluded, excludedBecause, digest, log: null };
};

/** Below the end nothing may appear any more, or the selection would gain events that nobody counted. */
const assertSettled = ({ to }: LogSelection, settled: number): void => {
  if (to === null || to <= settled) return;
  throw refused(
    `an open transaction may still add events up to position ${to}`,
    `Wait for it (npx factline status names it), or end at --to ${settled}`,
  );
};

const ceilingOf = (selection: Selection, settled: number): number =>
  selection.source === 'log' ? Math.min(selection.to ?? settled, settled) : settled;

const refuseNothing = (
  { consumer, types, selection }: Pick<FreezeRequest, 'consumer' | 'types' | 'selection'>,
  selected: number,
  excluded: Readonly<Record<string, number>>,
): void => {
  if (selected > 0) return;
  const because = Object.entries(excluded).map(([why, count]) => `${count} ${why}`);
  if (because.length > 0)
    throw refused(
      `none of the events that match can be replayed: ${because.join(', ')}`,
      'What is in quarantine is released from there: npx factline quarantine list',
    );
  if (selection.source === 'quarantine')
    throw refused(
      `nothing waits in the quarantine of ${consumer.name} with ${selection.fingerprint} any more`,
      'See what does: npx factline quarantine groups',
    );
  throw refused(
    'nothing matches',
    `${consumer.name} reads ${types.join(', ')}; look with: npx factline events tail`,
  );
};

/** What waits with that failure now; what joins it later is no part of it. */
const freezeGroup = async (
  pool: pg.Pool,
  { id, freeze, consumer }: FreezeRequest,
  { fingerprint }: GroupSelection,
): Promise<void> => {
  const { value } = await bounded(pool, (client) =>
    run(client, sql.freeze_group, [id, freeze, consumer.id, fingerprint, selectedMax + 1]),
  );
  refuseTooMany(Number(value[0]?.['count']));
};

interface FreezeLogRequest extends FreezeRequest {
  readonly selection: LogSelection;
}

const freezeLog = async (pool: pg.Pool, request: FreezeLogRequest): Promise<void> => {
  const { id, freeze, selection, settled, compactedBelow, types } = request;
  const { since, until } = selection;
  const range = await positionsWithin(pool, {
    since,
    until,
    from: selection.from,
    to: ceilingOf(selection, settled),
  });
  if (range.from < compactedBelow && range.from <= range.to) {
    throw refused(
      `retention has removed the events below position ${compactedBelow}`,
      `Begin at --from ${compactedBelow}, or restore the archive first.`,
    );
  }
  await refuseFarTooMany(pool, request, range);
  const values = matching(selection, types);
  let found = 0;
  for await (const { after, upTo } of spans(request, range)) {
    const { value } = await bounded(pool, (client) =>
      run(client, sql.freeze_span, [...values, after, upTo, selectedMax + 1 - found, id, freeze]),
    );
    found += Number(value[0]?.['count']);
    refuseTooMany(found);
  }
};

/** A sample shows at once what is far too much, and how much it is; what may be few enough is looked through. */
const refuseFarTooMany = async (
  pool: pg.Pool,
  request: FreezeLogRequest,
  range: PositionRange,
): Promise<void> => {
  const { selection, types } = request;
  if (range.to - range.from < (request.sampledAbove ?? sampledAbove)) return;
  const values = matching(selection, types);
  const enough = ({ events: { low } }: SampledRange): boolean => low > selectedMax;
  const { events } = await sampleRange(pool, range, { ...request, values, enough });
  if (events.low > selectedMax)
    throw tooMany(`about ${text(events.likely)} events match (${text(events.low)} to ${text(events.high)})`);
};

const text = (count: number): string => count.toLocaleString('en-US');

const refuseTooMany = (found: number): void => {
  if (found > selectedMax) throw tooMany(`more than ${text(selectedMax)} events match`);
};

const tooMany = (why: string): FactlineError =>
  refused(why, 'Narrow it by position, time, type or key, or plan several replays one after the other.');

const freezeWhole = async (pool: pg.Pool, request: FreezeLogRequest): Promise<FrozenRows> => {
  const { selection, settled, compactedBelow } = request;
  if (compactedBelow > 1)
    throw refused(
      `retention has removed the events below position ${compactedBelow}`,
      'Restore the archive first.',
    );
  const ceiling = ceilingOf(selection, settled);
  const log = await countLog(pool, { ...request, ceiling });
  refuseNothing(request, log.events.likely, {});
  return {
    ceiling,
    selected: log.events.likely,
    selectedWithin: log.sampled ? withinOf(log.events) : null,
    excluded: 0,
    excludedBecause: {},
    first: 1,
    last: ceiling,
    digest: wholeLog,
    log,
  };
};

/** What earlier estimates, or one that was given up, have left. */
export const dropFreezes = async (
  pool: pg.Pool,
  id: number,
  { before }: { readonly before: number },
): Promise<void> => {
  await run(pool, sql.drop_freezes, [id, before]);
};

/** SHA-256 over what the rows of a frozen selection say now. */
export const rowsDigest = async (on: Queryable, id: number, freeze: number): Promise<string> => {
  const [row] = await run(on, sql.selection_digest, [id, freeze]);
  return String(row?.['digest']);
};

/** Events that joined the group since it was frozen. */
export const countJoinedSince = async (
  on: Queryable,
  replay: { readonly id: number; readonly freeze: number; readonly consumerId: number },
  { fingerprint }: GroupSelection,
): Promise<{ readonly count: number; readonly exact: boolean }> => {
  const { id, freeze, consumerId } = replay;
  const [row] = await run(on, sql.count_joined, [id, freeze, consumerId, fingerprint]);
  return { count: Number(row?.['count']), exact: true };
};

/** Events that match as well but came after the freeze: shown beside the selection, never part of it. Looks at a bounded part. */
export const countArrivedSince = async (
  on: Queryable,
  request: {
    readonly selection: LogSelection;
    readonly types: readonly string[];
    readonly ceiling: number;
    readonly head: number;
  },
): Promise<{ readonly count: number; readonly exact: boolean }> => {
  const { selection, types, ceiling, head } = request;
  const upTo = Math.min(head, ceiling + spanPositions);
  const [row] = await run(on, sql.count_matching, [...matching(selection, types), ceiling, upTo]);
  return { count: Number(row?.['count']), exact: upTo === head };
};
