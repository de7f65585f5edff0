import type pg from 'pg';
import type { FoldingProjection } from './definition.ts';
import { OpenProjectionTx } from './projection-tx.ts';
import type { SqlProjection } from './sql-definition.ts';
import { createTable, qualifiedTable } from './statements.ts';

/** Makes the table of a build, empty, in the transaction of `client`. */
export const makeTable = async (
  client: pg.ClientBase,
  projection: FoldingProjection | SqlProjection,
  relation: string,
): Promise<void> => {
  if (projection.form === 'fold') {
    for (const text of createTable(projection.table, relation)) await client.query(text);
    return;
  }
  const tx = new OpenProjectionTx(qualifiedTable(relation));
  await tx.use(client, (open) => projection.create(open));
};
