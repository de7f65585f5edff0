import { uuidv8 } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { ReplayedConsumer } from '../request/plan.ts';
import type { EffectEstimate, FanOut } from './estimate.ts';
import { meanOf, predictTotal, quantile } from './intervals.ts';

const sql = loadQueries<'recent_handled' | 'caused_by' | 'effects_of' | 'recorded_effects' | 'readers_of'>(
  new URL('./estimate.sql', import.meta.url),
);

/** The part of the log that is looked at, and how many handled events of it. */
const windowPositions = 200_000;
const observedMax = 1_000;

export interface FanOutRequest {
  readonly id: number;
  readonly freeze: number;
  readonly consumer: ReplayedConsumer;
  readonly types: readonly string[];
  readonly events: number;
  readonly head: number;
}

/**
 * What handling events of these types came to lately. The ids of published events are derived from consumer, event and ordinal, so each
 * is known to be this consumer's and nobody else's.
 */
export const observeFanOut = async (on: Queryable, request: FanOutRequest): Promise<FanOut> => {
  const { consumer, types, head } = request;
  const after = Math.max(0, head - windowPositions);
  const handled = await run(on, sql.recent_handled, [consumer.id, types, after, observedMax]);
  const ids = handled.map((row) => String(row['id']));
  const lowest = Number(handled.at(-1)?.['position'] ?? head);
  const caused = ids.length === 0 ? [] : await run(on, sql.caused_by, [lowest, head, ids]);
  const published = publishedBy(
    consumer.id,
    caused.map((row) => ({ id: String(row['id']), type: String(row['type']), cause: String(row['cause']) })),
  );
  const effects = await effectsOf(on, request, ids);
  return { observed: ids.length, derived: await derivedOf(on, request, { ids, published }), effects };
};

interface Caused {
  readonly id: string;
  readonly type: string;
  readonly cause: string;
}

const publishedBy = (consumerId: number, caused: readonly Caused[]): readonly Caused[] => {
  const byCause = Map.groupBy(caused, ({ cause }) => cause);
  return [...byCause].flatMap(([cause, events]) => {
    const own = new Set(events.map((_event, ordinal) => uuidv8([consumerId, cause, ordinal])));
    return events.filter(({ id }) => own.has(id));
  });
};

interface Observed {
  readonly ids: readonly string[];
  readonly published: readonly Caused[];
}

const derivedOf = async (
  on: Queryable,
  { consumer, events }: FanOutRequest,
  { ids, published }: Observed,
): Promise<FanOut['derived']> => {
  const byType = Map.groupBy(published, ({ type }) => type);
  const readers = byType.size === 0 ? [] : await run(on, sql.readers_of, [[...byType.keys()], consumer.id]);
  return [...byType]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, all]) => {
      const observed = perEvent(
        ids,
        all.map(({ cause }) => cause),
      );
      return {
        type,
        perEvent: meanOf(observed),
        perEventHigh: quantile(observed, 0.95),
        predicted: predictTotal(observed, events),
        consumers: readers
          .filter((row) => (row['types'] as string[]).includes(type))
          .map((row) => String(row['name'])),
      };
    });
};

/** How often each id occurs among the causes. */
const perEvent = (ids: readonly string[], causes: readonly string[]): readonly number[] => {
  const counts = new Map<string, number>();
  for (const cause of causes) counts.set(cause, (counts.get(cause) ?? 0) + 1);
  return ids.map((id) => counts.get(id) ?? 0);
};

const effectsOf = async (
  on: Queryable,
  { id, freeze, consumer, events }: FanOutRequest,
  ids: readonly string[],
): Promise<readonly EffectEstimate[]> => {
  const recorded = await run(on, sql.recorded_effects, [id, freeze, consumer.id]);
  const observed = ids.length === 0 ? [] : await run(on, sql.effects_of, [consumer.id, ids]);
  const names = [...new Set([...recorded, ...observed].map((row) => String(row['name'])))].sort();
  return names.map((name) => {
    const own = recorded.find((row) => row['name'] === name);
    const happened = observed.filter((row) => row['name'] === name).map((row) => String(row['event_id']));
    const counts = perEvent(ids, happened);
    return {
      name,
      recorded: Number(own?.['done'] ?? 0),
      unknown: Number(own?.['unknown'] ?? 0),
      perEvent: meanOf(counts),
      predicted: predictTotal(counts, events),
    };
  });
};

/** Consumers that read these types, but this one, with what they promise. */
export const readersOf = async (
  on: Queryable,
  types: readonly string[],
  consumerId: number,
): Promise<readonly { readonly name: string; readonly handledWithinMs: number | null }[]> =>
  (await run(on, sql.readers_of, [types, consumerId])).map((row) => ({
    name: String(row['name']),
    handledWithinMs: row['handled_within_ms'] as number | null,
  }));
