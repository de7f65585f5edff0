import type pg from 'pg';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import { engineTransaction, loadQueries, type Queryable, run, sqlState } from '../../postgres/index.ts';
import type { ReplayedConsumer } from '../request/plan.ts';
import { compilePredicate } from '../request/predicate.ts';
import type { GroupSelection, LogSelection, Selection } from '../request/selection.ts';
import { positionsWithin } from './time-bounds.ts';

const sql = loadQueries<
  | 'limit_statement'
  | 'freeze_span'
  | 'freeze_group'
  | 'count_matching'
  | 'count_joined'
  | 'exclude_parked'
  | 'exclude_past_facts'
  | 'exclude_unhandled'
  | 'excluded_counts'
  | 'selection_digest'
  | 'count_span'
  | 'drop_freezes'
>(new URL('./freeze.sql', import.meta.url));

/** A replay that redelivers keeps one row per event: more would be a rebuild, not a repair. */
export const selectedMax = 100_000;
const spanPositions = 50_000;
const statementMs = 10_000;
const withinMs = 120_000;

export interface FreezeRequest {
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
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface FrozenRows {
  readonly ceiling: number;
  readonly selected: number;
  readonly excluded: number;
  /** Why events that match can't be replayed, with their numbers. */
  readonly excludedBecause: Readonly<Record<string, number>>;
  /** Of the selected events; null where there is none. */
  readonly first: number | null;
  readonly last: number | null;
  /** SHA-256 over what was selected. */
  readonly digest: string;
  /** Of a whole log: counts and stored bytes by type. */
  readonly byType: ReadonlyMap<string, { readonly count: number; readonly bytes: number }> | null;
}

/**
 * Writes the selection down, event by event, or counts it where it is the whole log. What is recorded later lies above the ceiling.
 * @throws FactlineError REPLAY_SELECTION_REFUSED
 */
export const freezeSelection = async (pool: pg.Pool, request: FreezeRequest): Promise<FrozenRows> => {
  const { id, freeze, selection, consumer, settled } = request;
  if (selection.source === 'quarantine') await freezeGroup(pool, request, selection);
  else {
    assertSettled(selection, settled);
    if (consumer.class === 'projection') return countLog(pool, { ...request, selection });
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
  return { ceiling, ...chosen, excluded, excludedBecause, digest: value.digest, byType: null };
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

const refused = (why: string, line: string): FactlineError =>
  new FactlineError('REPLAY_SELECTION_REFUSED', { why, line });

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

/** One transaction whose statements the server ends after their time. */
const bounded = async <T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<{ readonly value: T }> => {
  try {
    return await engineTransaction(pool, async (client) => {
      await run(client, sql.limit_statement, [String(statementMs)]);
      return work(client);
    });
  } catch (error) {
    if (sqlState(error) === '57014') throw tooLong();
    throw error;
  }
};

const tooLong = (): FactlineError =>
  refused(
    'looking through it takes too long',
    'Bound it closer by position (--from, --to) or by time (--since, --until).',
  );

/** The parameters by which events match, in the order of the statements. */
const matching = (selection: LogSelection, types: readonly string[]): readonly unknown[] => {
  const { keys, since, until, ids, where } = selection;
  const compiled = where === null ? null : compilePredicate(where);
  return [
    selection.types ?? types,
    keys,
    since,
    until,
    ids,
    compiled?.path ?? null,
    compiled === null ? null : JSON.stringify(compiled.variables),
  ];
};

/** Spans of positions, as long as there is time. */
async function* spans(
  { clock, signal }: Pick<FreezeRequest, 'clock' | 'signal'>,
  range: { readonly from: number; readonly to: number },
): AsyncGenerator<{ readonly after: number; readonly upTo: number }> {
  const until = clock.monotonic() + withinMs;
  for (let after = range.from - 1; after < range.to; after += spanPositions) {
    signal.throwIfAborted();
    if (clock.monotonic() > until) throw tooLong();
    yield { after, upTo: Math.min(after + spanPositions, range.to) };
  }
}

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
  let found = 0;
  for await (const { after, upTo } of spans(request, range)) {
    const { value } = await bounded(pool, (client) =>
      run(client, sql.freeze_span, [
        id,
        freeze,
        after,
        upTo,
        ...matching(selection, types),
        selectedMax + 1 - found,
      ]),
    );
    found += Number(value[0]?.['count']);
    refuseTooMany(found);
  }
};

const refuseTooMany = (found: number): void => {
  if (found <= selectedMax) return;
  throw refused(
    `more than ${selectedMax.toLocaleString('en-US')} events match`,
    'Narrow it by position, time, type or key, or plan several replays one after the other.',
  );
};

/** Instead of a digest of rows. */
export const wholeLog = 'the whole log';

/** A whole log keeps no rows: positions up to a settled ceiling never change. */
const countLog = async (pool: pg.Pool, request: FreezeLogRequest): Promise<FrozenRows> => {
  const { selection, settled, compactedBelow, types } = request;
  if (compactedBelow > 1)
    throw refused(
      `retention has removed the events below position ${compactedBelow}`,
      'Restore the archive first.',
    );
  const ceiling = ceilingOf(selection, settled);
  const byType = new Map<string, { count: number; bytes: number }>();
  for await (const { after, upTo } of spans(request, { from: 1, to: ceiling })) {
    const { value } = await bounded(pool, (client) => run(client, sql.count_span, [after, upTo, types]));
    for (const row of value) {
      const type = String(row['type']);
      const sofar = byType.get(type) ?? { count: 0, bytes: 0 };
      byType.set(type, {
        count: sofar.count + Number(row['count']),
        bytes: sofar.bytes + Number(row['bytes']),
      });
    }
  }
  const selected = [...byType.values()].reduce((sum, { count }) => sum + count, 0);
  refuseNothing(request, selected, {});
  return {
    ceiling,
    selected,
    excluded: 0,
    excludedBecause: {},
    first: 1,
    last: ceiling,
    digest: wholeLog,
    byType,
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
  const [row] = await run(on, sql.count_matching, [ceiling, upTo, ...matching(selection, types)]);
  return { count: Number(row?.['count']), exact: upTo === head };
};
