import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'read_workflows'>(new URL('./instances.sql', import.meta.url));

/** A workflow as the database knows it. */
export interface StoredWorkflow {
  /** The number of its router in `consumers`. */
  readonly id: number;
  readonly app: string;
  readonly name: string;
  /** Rising; each with the number of its executor in `consumers`. */
  readonly versions: readonly { readonly id: number; readonly version: number }[];
}

/** What runs the instances of one version is stored as NAME@VERSION; no name of a user's has an `@`. */
export const isExecutorName = (name: string): boolean => name.includes('@');

export const readWorkflows = async (on: Queryable): Promise<readonly StoredWorkflow[]> =>
  (await run(on, sql.read_workflows)).map((row) => ({
    id: Number(row['id']),
    app: String(row['app']),
    name: String(row['name']),
    versions: row['versions'] as StoredWorkflow['versions'],
  }));

/** All workflows, or the one of this name. @throws FactlineError CONSUMER_UNKNOWN with the names there are. */
export const findWorkflows = async (
  on: Queryable,
  name: string | null,
): Promise<readonly StoredWorkflow[]> => {
  const stored = await readWorkflows(on);
  const found = name === null ? stored : stored.filter((workflow) => workflow.name === name);
  if (name !== null && found.length === 0) {
    const known = stored.map((workflow) => workflow.name);
    throw new FactlineError('CONSUMER_UNKNOWN', {
      consumer: name,
      known: known.length === 0 ? 'none' : known,
    });
  }
  return found;
};
