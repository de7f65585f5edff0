import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, run, sqlState } from '../../postgres/index.ts';
import { dropView, grantOnView, replaceView, type ViewTarget, viewName } from './statements.ts';

const sql = loadQueries<
  'object_of_name' | 'columns_of' | 'dependents_of' | 'grants_of' | 'savepoint' | 'rollback_to_savepoint'
>(new URL('./builds.sql', import.meta.url));

/** PostgreSQL's "cannot change name/data type/drop columns of view". */
const viewColumnsDiffer = '42P16';

const refuse = (view: ViewTarget, reason: string, cause?: unknown): FactlineError =>
  new FactlineError(
    'PROJECTION_NAME_TAKEN',
    { projection: view.name, view: viewName(view), reason },
    { cause },
  );

/** Only a view that shows a table of Factline's may be replaced: everything else belongs to somebody. */
const refuseForeign = async (client: pg.ClientBase, view: ViewTarget): Promise<boolean> => {
  const [found] = await run(client, sql.object_of_name, [view.schema, view.name]);
  if (found === undefined) return false;
  const source = found['source'];
  if (found['relkind'] === 'v' && typeof source === 'string' && /__b\d+$/.test(source)) return true;
  throw refuse(view, 'an object of this name exists and does not belong to Factline');
};

const explainRights = (view: ViewTarget, error: unknown): unknown => {
  const state = sqlState(error);
  if (state === '42501')
    return refuse(
      view,
      `this role may not create it; run \`npx factline migrate\` with one that may (${(error as Error).message})`,
      error,
    );
  return state === '3F000' ? refuse(view, `the schema ${view.schema} does not exist`, error) : error;
};

/** Makes the view of a first build. @throws FactlineError PROJECTION_NAME_TAKEN */
export const createView = async (client: pg.ClientBase, view: ViewTarget): Promise<void> => {
  await refuseForeign(client, view);
  try {
    await client.query(replaceView(view));
  } catch (error) {
    throw explainRights(view, error);
  }
};

/** Other views that stand in the way of a build whose columns are not the old ones, perhaps with some appended. */
export const viewObstacles = async (client: pg.ClientBase, view: ViewTarget): Promise<string[]> => {
  if (!(await refuseForeign(client, view))) return [];
  const columns = async (schema: string, relation: string): Promise<string[]> =>
    (await run(client, sql.columns_of, [schema, relation])).map((row) => `${row['name']} ${row['type']}`);
  const shown = await columns(view.schema, view.name);
  const next = await columns('factline', view.relation);
  if (shown.every((column, index) => next[index] === column)) return [];
  return (await run(client, sql.dependents_of, [view.schema, view.name])).map((row) => String(row['name']));
};

/** Refused before a rebuild begins, rather than at its end. @throws FactlineError PROJECTION_NAME_TAKEN */
export const refuseObstacles = async (client: pg.ClientBase, view: ViewTarget): Promise<void> => {
  const obstacles = await viewObstacles(client, view);
  if (obstacles.length === 0) return;
  throw refuse(view, `its columns change, and other views read it: ${obstacles.join(', ')}`);
};

/**
 * Lets the view show another table, inside a transaction. Where the columns are the same or appended, grants and dependents
 * stay by themselves; otherwise it is made anew and its grants are carried over.
 */
export const moveView = async (client: pg.ClientBase, view: ViewTarget): Promise<void> => {
  const exists = await refuseForeign(client, view);
  await client.query(sql.savepoint.text);
  try {
    await client.query(replaceView(view));
    return;
  } catch (error) {
    if (!exists || sqlState(error) !== viewColumnsDiffer) throw explainRights(view, error);
  }
  await client.query(sql.rollback_to_savepoint.text);
  const grants = await run(client, sql.grants_of, [view.schema, view.name]);
  await client.query(dropView(view));
  await client.query(replaceView(view));
  for (const { privilege, grantee, grantable } of grants)
    await client.query(
      grantOnView(view, {
        privilege: String(privilege),
        grantee: grantee === null ? null : String(grantee),
        grantable: grantable === true,
      }),
    );
};
