import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { resolveServer } from '../app/index.ts';
import { systemClock } from '../foundation/index.ts';
import { loadQueries, type NamedQuery, type Queryable, run } from '../postgres/index.ts';

const sql = loadQueries<
  | 'test_databases'
  | 'end_backends'
  | 'busy_sessions'
  | 'create_statement'
  | 'copy_statement'
  | 'drop_statement'
>(new URL('./testing.sql', import.meta.url));

/** A database that belongs to one test and goes away with it. */
export interface OwnDatabase {
  readonly name: string;
  readonly url: string;
  /** Ends every connection whose application name begins with this, as the death of its process does. */
  endBackends(applicationName: string): Promise<void>;
  /** Waits until nobody is at work in it; what still is after a while is cut off. */
  whenIdle(): Promise<void>;
  drop(): Promise<void>;
}

/** A server on which a test makes databases of its own. */
export interface TestServer {
  /** An empty one, or a copy of one that nobody is connected to any more. */
  createDatabase(template?: OwnDatabase): Promise<OwnDatabase>;
  close(): Promise<void>;
}

const prefix = 'factline_test_';
const lookEveryMs = 5;
const looksMax = 1_000;
const idleLooksMax = 400;

/** The server of `server` or DATABASE_URL, else the embedded one. */
export const openTestServer = async (server?: string): Promise<TestServer> => {
  const address = await resolveServer(server ?? (process.env['DATABASE_URL'] || undefined));
  const administrator = new pg.Pool({
    connectionString: address.url,
    application_name: 'factline testing',
    max: 2,
    allowExitOnIdle: true,
  });
  administrator.on('error', () => {});
  await dropLeftovers(administrator);
  const createDatabase = async (template?: OwnDatabase): Promise<OwnDatabase> => {
    const name = `${prefix}${process.pid}_${randomBytes(5).toString('hex')}`;
    if (template === undefined) await runBuilt(administrator, sql.create_statement, name);
    else await runBuilt(administrator, sql.copy_statement, name, template.name);
    const url = new URL(address.url);
    url.pathname = `/${name}`;
    return {
      name,
      url: url.href,
      endBackends: (applicationName) => endBackends(administrator, name, applicationName),
      whenIdle: async () => {
        for (let look = 0; look < idleLooksMax; look += 1) {
          const [row] = await run(administrator, sql.busy_sessions, [name]);
          if (row?.['busy'] === 0) return;
          await systemClock.sleep(lookEveryMs);
        }
        await endBackends(administrator, name, '');
      },
      drop: () => runBuilt(administrator, sql.drop_statement, name),
    };
  };
  return {
    createDatabase,
    close: async () => {
      await administrator.end();
      await address.embedded?.stop();
    },
  };
};

/** Ending takes a moment, and what follows must not meet them any more. */
const endBackends = async (on: Queryable, database: string, applicationName: string): Promise<void> => {
  for (let look = 0; look < looksMax; look += 1) {
    const [row] = await run(on, sql.end_backends, [database, applicationName]);
    if (row?.['open'] === 0) return;
    await systemClock.sleep(lookEveryMs);
  }
};

/** One database on a server that goes with it. */
export const createOwnDatabase = async (server?: string): Promise<OwnDatabase> => {
  const opened = await openTestServer(server);
  const database = await opened.createDatabase();
  return {
    ...database,
    drop: async () => {
      await database.drop();
      await opened.close();
    },
  };
};

/** Runs the statement that a query built with quoted names. */
export const runBuilt = async (
  on: Queryable,
  query: NamedQuery,
  ...values: readonly string[]
): Promise<void> => {
  const [row] = await run(on, query, values);
  await on.query(String(row?.['statement']));
};

/** Databases of test runs that were killed: their process is gone. */
const dropLeftovers = async (on: Queryable): Promise<void> => {
  for (const row of await run(on, sql.test_databases)) {
    const name = String(row['name']);
    const pid = Number(name.slice(prefix.length).split('_')[0]);
    if (pid !== process.pid && !isAlive(pid)) await runBuilt(on, sql.drop_statement, name).catch(() => {});
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
