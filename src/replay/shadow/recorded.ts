import { uuidv8 } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { RecordedOutcome } from './compare-outcome.ts';

const sql = loadQueries<'caused_by' | 'effects_of'>(new URL('./shadow.sql', import.meta.url));

/** What followed from an event is looked for among so many positions after it. */
const followsWithin = 100_000;

/** What is on record of the first handling of these events by this consumer, by event id. */
export const readRecorded = async (
  on: Queryable,
  consumerId: number,
  events: readonly { readonly id: string; readonly position: number }[],
): Promise<ReadonlyMap<string, RecordedOutcome>> => {
  const ids = events.map(({ id }) => id);
  const positions = events.map(({ position }) => position);
  const caused = await run(on, sql.caused_by, [
    Math.min(...positions),
    Math.max(...positions) + followsWithin,
    ids,
  ]);
  const effects = await run(on, sql.effects_of, [consumerId, ids]);
  const byCause = Map.groupBy(caused, (row) => String(row['cause']));
  const effectsByCause = Map.groupBy(effects, (row) => String(row['cause']));
  return new Map(
    ids.map((id) => {
      const rows = new Map((byCause.get(id) ?? []).map((row) => [String(row['id']), row]));
      const published: { type: string; key: string; data: unknown }[] = [];
      // Ids are derived from consumer, event and ordinal: what other consumers have published is told apart by them.
      for (let ordinal = 0; ; ordinal += 1) {
        const row = rows.get(uuidv8([consumerId, id, ordinal]));
        if (row === undefined) break;
        published.push({ type: String(row['type']), key: String(row['key']), data: row['data'] });
      }
      return [id, { published, effects: (effectsByCause.get(id) ?? []).map((row) => String(row['name'])) }];
    }),
  );
};
