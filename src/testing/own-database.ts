import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { resolveServer } from '../app/index.ts';
import { loadQueries, type NamedQuery, type Queryable, run } from '../postgres/index.ts';

const sql = loadQueries<'test_databases' | 'end_backends' | 'create_statement' | 'drop_statement'>(
  new URL('./testing.sql', import.meta.url),
);

/** A database that belongs to one test and goes away with it. */
export interface OwnDatabase {
  readonly url: string;
  /** Ends every connection whose application name begins with this, as the death of its process does. */
  endBackends(applicationName: string): Promise<void>;
  drop(): Promise<void>;
}

const prefix = 'factline_test_';

/** On the server of `server` or DATABASE_URL, else on the embedded one. */
export const createOwnDatabase = async (server?: string): Promise<OwnDatabase> => {
  const address = await resolveServer(server ?? (process.env['DATABASE_URL'] || undefined));
  const name = `${prefix}${process.pid}_${randomBytes(5).toString('hex')}`;
  const administrator = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: address.url, application_name: 'factline testing' });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  await administrator(async (client) => {
    await dropLeftovers(client);
    await runBuilt(client, sql.create_statement, name);
  });
  const url = new URL(address.url);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    endBackends: (applicationName) =>
      administrator(async (client) => {
        await run(client, sql.end_backends, [name, applicationName]);
      }),
    drop: async () => {
      await administrator((client) => runBuilt(client, sql.drop_statement, name));
      await address.embedded?.stop();
    },
  };
};

/** Runs the statement that a query built with a quoted name. */
export const runBuilt = async (client: Queryable, query: NamedQuery, value: string): Promise<void> => {
  const [row] = await run(client, query, [value]);
  await client.query(String(row?.['statement']));
};

/** Databases of test runs that were killed: their process is gone. */
const dropLeftovers = async (client: pg.Client): Promise<void> => {
  for (const row of await run(client, sql.test_databases)) {
    const name = String(row['name']);
    const pid = Number(name.slice(prefix.length).split('_')[0]);
    if (pid !== process.pid && !isAlive(pid))
      await runBuilt(client, sql.drop_statement, name).catch(() => {});
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
};
