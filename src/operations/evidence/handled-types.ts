import type { HandledType } from '../../contracts/index.ts';
import { readHead } from '../../log/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'handled_types'>(new URL('./evidence.sql', import.meta.url));

/** How far back it is looked, and at how many events of a type: about a second at most. */
const lookedAtMax = 500_000;
const eventsOfTypeMax = 10_000;

/**
 * What each consumer has done with the newest events of these types, for `readiness`: a declaration is a promise, what was handled
 * is evidence. A consumer that reads a type of which nothing was found is there with zeros.
 */
export const handledTypes = async (
  on: Queryable,
  types: readonly string[],
): Promise<readonly HandledType[]> => {
  const { visible } = await readHead(on);
  const values = [Math.max(0, visible - lookedAtMax), visible, types, eventsOfTypeMax];
  return (await run(on, sql.handled_types, values)).map((row) => ({
    consumer: String(row['consumer']),
    type: String(row['type']),
    events: Number(row['handled']),
    waiting: Number(row['waiting']),
  }));
};
