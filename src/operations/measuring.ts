import { sessionLockSpace } from '../consumers/index.ts';
import { toMilliseconds } from '../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';
import { listBuilds } from '../replay/index.ts';
import { type WindowFacts, windowsOfHours, windowsOfMinutes } from './burn-rate.ts';
import type {
  BreakerFacts,
  ClockJump,
  ConsumerFacts,
  EarlierFacts,
  LaneFacts,
  NewerGeneration,
  OldestUnhandled,
  OwnerFacts,
  PausedPart,
  QuarantineFacts,
  TailIncident,
  UnhandledFacts,
} from './facts.ts';
import { stalledAfterMs } from './limits.ts';
import { withBuffers } from './pause-buffers.ts';
import { type FoundInLog, scanLog } from './scanning.ts';
import { isExecutor, withWorkflows } from './workflows/index.ts';

const sql = loadQueries<'read_consumers' | 'read_parked' | 'oldest_active' | 'last_handled' | 'log_holder'>(
  new URL('./measuring.sql', import.meta.url),
);

/** The service level of a consumer that declares none. */
const handledWithinMsDefault = toMilliseconds('1m');
const errorBudgetDefault = 0.01;

/** Parked rows looked at per consumer and measurement: about 20 ms; beyond, the counts are lower bounds. */
const parkedRowsMax = 20_000;

/** All consumers, or those of one app, that are not retired; by name, then build. At most ten statements, each bounded. */
export const measureConsumers = async (on: Queryable, app: string | null): Promise<ConsumerFacts[]> => {
  const rows = await run(on, sql.read_consumers, [app, sessionLockSpace, windowsOfMinutes, windowsOfHours]);
  if (rows.length === 0) return [];
  const stored = rows.map(storedFacts);
  const consumers = stored.filter((facts) => !isExecutor(facts));
  const ids = consumers.map(({ id }) => id);
  const inLog = await scanLog(on, consumers);
  const parked = new Map(
    (await run(on, sql.read_parked, [ids, parkedRowsMax])).map((row) => [Number(row['id']), row]),
  );
  const crowded = ids.filter((id) => Number(parked.get(id)?.['rows'] ?? 0) >= parkedRowsMax);
  const active = crowded.length === 0 ? [] : await run(on, sql.oldest_active, [crowded]);
  const measured = consumers.map((consumer) =>
    withMeasurement(consumer, {
      log: inLog.get(consumer.id) ?? null,
      parked: parked.get(consumer.id) ?? null,
      active: active.find((row) => row['id'] === consumer.id) ?? null,
    }),
  );
  const facts = await withBuffers(on, app, await withFilling(on, await withProgress(on, measured)));
  return withWorkflows(on, facts, stored.filter(isExecutor));
};

/** Who holds up the log, as any process can tell; a running tail knows it better. */
export const readTailIncident = async (on: Queryable): Promise<TailIncident | null> => {
  const [row] = await run(on, sql.log_holder);
  if (row === undefined) return null;
  return { pid: Number(row['pid']), query: row['query'] as string | null, ageMs: Number(row['age_ms']) };
};

/** What stands in the tables of consumers and lanes; what is measured in log and parked rows follows. */
export type StoredFacts = Omit<
  ConsumerFacts,
  'filling' | 'heldEvents' | 'oldest' | 'unhandled' | 'quarantined' | 'hottestKey' | 'workflow'
>;

const storedFacts = (row: Row): StoredFacts => ({
  id: Number(row['id']),
  app: String(row['app']),
  consumer: String(row['name']),
  class: row['class'] as ConsumerFacts['class'],
  version: Number(row['version']),
  build: Number(row['build']),
  state: row['state'] as ConsumerFacts['state'],
  ordering: row['ordering'] as ConsumerFacts['ordering'],
  types: row['types'] as string[],
  generation: Number(row['generation']),
  newerGeneration: newerGeneration(row),
  startPosition: Number(row['start_position']),
  handledWithinMs:
    row['handled_within_ms'] === null ? handledWithinMsDefault : Number(row['handled_within_ms']),
  errorBudget: row['error_budget'] === null ? errorBudgetDefault : Number(row['error_budget']),
  objective: {
    events: Number(row['objective_events'] ?? 0),
    late: Number(row['objective_late'] ?? 0),
    quarantined: Number(row['objective_quarantined'] ?? 0),
  },
  windows: (row['windows'] ?? []) as WindowFacts[],
  earlier: row['earlier'] as EarlierFacts | null,
  probeMs: nullable(row['probe_ms']),
  databaseClock: {
    nowMs: Number(row['clock_ms']),
    headAheadMs: Number(row['head_ahead_ms'] ?? 0),
    jump: row['jump'] as ClockJump | null,
  },
  paused:
    row['paused_reason'] === null
      ? null
      : {
          reason: String(row['paused_reason']),
          by: row['paused_by'] as string | null,
          forMs: Number(row['paused_ms'] ?? 0),
          resumesMs: nullable(row['resumes_ms']),
          buffer: null,
        },
  breaker: breaker(row),
  pausedParts: (row['paused_parts'] as PausedPart[]).map((part) => ({ ...part, buffer: null })),
  lanes: row['lanes'] as LaneFacts[],
  owners: row['owners'] as OwnerFacts[],
  head: row['head'] === null ? 0 : Number(row['head']),
});

const newerGeneration = (row: Row): NewerGeneration | null =>
  row['newer_generation'] === null
    ? null
    : {
        generation: Number(row['newer_generation']),
        barrier: Number(row['newer_barrier']),
        types: row['newer_types'] as string[],
      };

const breaker = (row: Row): BreakerFacts | null =>
  row['breaker_kind'] === null
    ? null
    : {
        kind: row['breaker_kind'] as BreakerFacts['kind'],
        reason: String(row['breaker_reason']),
        fingerprint: row['breaker_fingerprint'] as string | null,
        openedAt: String(row['breaker_opened_at']),
      };

interface Measured {
  readonly log: FoundInLog | null;
  /** A row of `read_parked`. */
  readonly parked: Row | null;
  /** A row of `oldest_active`. */
  readonly active: Row | null;
}

type ParkedWhere = Exclude<OldestUnhandled['where'], 'log' | 'instance'>;

interface ParkedHead {
  readonly position: number;
  readonly keyHash: number;
  readonly ageMs: number;
  readonly activeMs: number;
  readonly nextMs: number | null;
}

const withMeasurement = (consumer: StoredFacts, measured: Measured): ConsumerFacts => {
  const { parked, log } = measured;
  const heads = (parked?.['oldest'] ?? {}) as Readonly<Record<string, ParkedHead>>;
  const count = (name: string): number => Number(parked?.[name] ?? 0);
  const all = count('rows') < parkedRowsMax;
  const tried = count('retrying') + count('running');
  const unhandled: UnhandledFacts = {
    events: (log?.unhandled ?? 0) + tried + count('waiting') + count('without_code'),
    exact: all && (log?.exact ?? true),
    retrying: count('retrying'),
    waiting: count('waiting'),
    withoutCode: count('without_code'),
    nextRetryMs: nullable(parked?.['next_ms']),
  };
  const quarantined: QuarantineFacts = {
    keys: count('quarantined_keys'),
    events: count('quarantined'),
    waiting: count('behind_quarantined'),
    oldestMs: heads['quarantined']?.ageMs ?? null,
    exact: all,
  };
  const hottest = parked?.['hottest_key'] ?? null;
  return {
    ...consumer,
    filling: null,
    heldEvents: count('paused'),
    oldest: oldestOf(consumer, measured, heads),
    unhandled,
    quarantined,
    hottestKey: hottest === null ? null : { key: String(hottest), waiting: count('hottest_waiting') },
    workflow: null,
  };
};

const nullable = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);

const oldestOf = (
  consumer: StoredFacts,
  { log, active }: Measured,
  heads: Readonly<Record<string, ParkedHead>>,
): OldestUnhandled | null => {
  const lane = (keyHash: number): number => laneOfHash(keyHash, consumer.lanes.length);
  const candidates: OldestUnhandled[] = [];
  if (log?.oldest) candidates.push({ ...log.oldest, where: 'log', idleMs: log.oldest.ageMs });
  for (const where of ['running', 'retrying', 'waiting', 'without code'] satisfies ParkedWhere[]) {
    const head = heads[where];
    if (head === undefined) continue;
    const { position, keyHash, ageMs, activeMs } = head;
    const idleMs = where === 'running' || where === 'retrying' ? Math.min(ageMs, activeMs) : ageMs;
    candidates.push({ where, position, ageMs, lane: lane(keyHash), idleMs, exact: true });
  }
  if (active !== null) {
    const ageMs = Number(active['age_ms']);
    candidates.push({
      where: 'retrying',
      position: Number(active['position']),
      ageMs,
      lane: lane(Number(active['key_hash'])),
      idleMs: ageMs,
      exact: true,
    });
  }
  return candidates.reduce<OldestUnhandled | null>(
    (oldest, each) => (oldest === null || each.ageMs > oldest.ageMs ? each : oldest),
    null,
  );
};

const laneOfHash = (keyHash: number, lanes: number): number => (lanes <= 1 ? 0 : (keyHash >>> 0) % lanes);

/** Looks when the lanes of events that have waited suspiciously long last did anything. Rare, so a statement of its own. */
const withProgress = async (on: Queryable, consumers: readonly ConsumerFacts[]): Promise<ConsumerFacts[]> => {
  const suspects = consumers.filter(
    ({ oldest, handledWithinMs }) => oldest !== null && oldest.idleMs >= stalledAfterMs(handledWithinMs),
  );
  if (suspects.length === 0) return [...consumers];
  const asked = suspects.map(({ id, oldest, lanes }) => ({
    id,
    lane: oldest?.lane ?? 0,
    lanes: Math.max(1, lanes.length),
  }));
  const rows = await run(on, sql.last_handled, [JSON.stringify(asked)]);
  const handledMs = new Map(rows.map((row) => [Number(row['id']), nullable(row['ago_ms'])]));
  return consumers.map((facts) => {
    const { oldest } = facts;
    if (oldest === null || !suspects.includes(facts)) return facts;
    const moved = facts.lanes.find(({ lane }) => lane === oldest.lane)?.movedMs ?? Number.POSITIVE_INFINITY;
    const idleMs = Math.min(oldest.idleMs, moved, handledMs.get(facts.id) ?? Number.POSITIVE_INFINITY);
    return { ...facts, oldest: { ...oldest, idleMs } };
  });
};

/** How far builds are whose rows are still being made. Rare, so a statement of its own. */
const withFilling = async (on: Queryable, consumers: readonly ConsumerFacts[]): Promise<ConsumerFacts[]> => {
  if (consumers.every(({ state }) => state === 'live')) return [...consumers];
  const builds = new Map((await listBuilds(on)).map((build) => [build.id, build]));
  return consumers.map((facts) => {
    const build = builds.get(facts.id);
    return build?.stage === 'filling'
      ? { ...facts, filling: { done: build.done, etaMs: build.etaMs, obstacle: build.obstacle } }
      : facts;
  });
};
