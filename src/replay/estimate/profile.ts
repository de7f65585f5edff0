import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { FrozenRows } from '../freeze/freeze.ts';
import type { ReplayedConsumer } from '../request/plan.ts';
import type { SelectionProfile } from './estimate.ts';
import { withinOf } from './intervals.ts';

const sql = loadQueries<
  'profile_types' | 'profile_keys' | 'profile_followers' | 'window_keys' | 'recorded_between'
>(new URL('./estimate.sql', import.meta.url));

const hottestMax = 20;
const windowPositions = 200_000;
/** Of a log that is itself only sampled. */
const windowOfSampled = 50_000;

export interface Profiled {
  readonly id: number;
  readonly freeze: number;
  readonly consumer: ReplayedConsumer;
  readonly frozen: FrozenRows;
  /** A key as it may be shown. */
  readonly shownKey: (key: string) => string;
}

/** What the frozen selection holds. Keys of a whole log are counted in its latest part. */
export const profileSelection = (on: Queryable, profiled: Profiled): Promise<SelectionProfile> =>
  profiled.frozen.log === null ? ofRows(on, profiled) : ofLog(on, profiled, profiled.frozen.log);

const ofRows = async (
  on: Queryable,
  { id, freeze, consumer, frozen, shownKey }: Profiled,
): Promise<SelectionProfile> => {
  const types = await run(on, sql.profile_types, [id, freeze, consumer.startPosition]);
  const keys = await run(on, sql.profile_keys, [id, freeze, hottestMax]);
  const [behind] = await run(on, sql.profile_followers, [id, freeze, consumer.id]);
  const times = types.flatMap((row) => [String(row['first']), String(row['last'])]).sort();
  return {
    events: frozen.selected,
    eventsWithin: null,
    excludedBecause: frozen.excludedBecause,
    keys: { count: Number(keys[0]?.['keys'] ?? 0), exact: true },
    hottestKeys: keys.map((row) => ({ key: shownKey(String(row['key'])), events: Number(row['count']) })),
    types: types.map((row) => ({
      type: String(row['type']),
      events: Number(row['count']),
      bytes: Number(row['bytes']),
      eventsWithin: null,
      bytesWithin: null,
    })),
    firstRecordedAt: times[0] ?? null,
    lastRecordedAt: times.at(-1) ?? null,
    beforeStart: types.reduce((sum, row) => sum + Number(row['before_start']), 0),
    followers: Number(behind?.['count']),
  };
};

const ofLog = async (
  on: Queryable,
  { frozen: { ceiling, selected, selectedWithin }, shownKey }: Profiled,
  log: NonNullable<FrozenRows['log']>,
): Promise<SelectionProfile> => {
  const after = Math.max(0, ceiling - (log.sampled ? windowOfSampled : windowPositions));
  const keys = await run(on, sql.window_keys, [after, ceiling, [...log.types.keys()], hottestMax]);
  const [times] = await run(on, sql.recorded_between, [1, ceiling]);
  return {
    events: selected,
    eventsWithin: selectedWithin,
    excludedBecause: {},
    keys: { count: Number(keys[0]?.['keys'] ?? 0), exact: after === 0 },
    hottestKeys: keys.map((row) => ({ key: shownKey(String(row['key'])), events: Number(row['count']) })),
    types: [...log.types].map(([type, { events, bytes }]) => ({
      type,
      events: events.likely,
      bytes: bytes.likely,
      eventsWithin: log.sampled ? withinOf(events) : null,
      bytesWithin: log.sampled ? withinOf(bytes) : null,
    })),
    firstRecordedAt: (times?.['first'] as string | null) ?? null,
    lastRecordedAt: (times?.['last'] as string | null) ?? null,
    beforeStart: 0,
    followers: 0,
  };
};
