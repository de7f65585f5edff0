import { loadQueries, type Queryable, run } from '../postgres/index.ts';

const sql = loadQueries<'payload_sizes'>(new URL('./payload-sizes.sql', import.meta.url));

/** No index leads by type; this many are read within a second. */
const eventsMax = 50_000;

/** By type: 95 of 100 of its payloads among the newest events of the log have at most so many bytes. Types without any are left out. */
export const payloadSizes = async (
  on: Queryable,
  types: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const rows = await run(on, sql.payload_sizes, [types, eventsMax]);
  return new Map(rows.map((row) => [row['type'] as string, row['bytes'] as number]));
};
