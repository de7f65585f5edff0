import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { buildRelation } from './statements.ts';

const sql = loadQueries<'relation_of'>(new URL('./builds.sql', import.meta.url));

/** The table of a build, under whatever name it was made. @throws FactlineError PROJECTION_TABLE_MISSING */
export const relationOf = async (
  on: Queryable,
  consumer: { id: number; name: string; build: number },
): Promise<string> => {
  const [row] = await run(on, sql.relation_of, [consumer.id]);
  if (row !== undefined) return String(row['relation']);
  throw new FactlineError('PROJECTION_TABLE_MISSING', {
    projection: consumer.name,
    table: `factline.${buildRelation(consumer.name, consumer.build)}`,
  });
};
