import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { createDatabase, migrate, migrations } from '../src/postgres/index.ts';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Removes the database; fails when connections to it are still open, because somebody did not stop. */
  drop(options?: { leaks?: 'fail' | 'ignore' }): Promise<void>;
}

export interface TestDatabaseOptions {
  /** With Factline's schema, copied from a template: quicker than migrating. Default: an empty database. */
  readonly migrated?: boolean;
  /** A superuser's URL of the server. Default: the server of this run of vitest. */
  readonly server?: string;
}

/** Named by the migrations: a server that outlives a run (FACTLINE_TEST_DATABASE_URL) must not serve yesterday's schema. */
const templateName = (): string => {
  const digest = createHash('sha256');
  for (const { text } of migrations()) digest.update(text);
  return `factline_template_${digest.digest('hex').slice(0, 12)}`;
};

const urlOf = (server: string, database: string): string => {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
};

/** Of this run's server, by its URL: hundreds of databases are made and dropped through one connection. */
const administrators = new Map<string, Promise<pg.Client>>();

const connectAdministrator = async (server: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: server, application_name: 'factline-test-administrator' });
  client.on('error', () => administrators.delete(server));
  await client.connect();
  return client;
};

const withAdministrator = async <T>(server: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  if (server === inject('databaseUrl')) {
    const administrator = administrators.get(server) ?? connectAdministrator(server);
    administrators.set(server, administrator);
    const client = await administrator;
    // Nobody closes it: it must not keep the process of the tests alive. (Its types do not know the method.)
    (client as unknown as { unref(): void }).unref();
    return work(client);
  }
  const client = await connectAdministrator(server);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const exists = async (client: pg.Client, name: string): Promise<boolean> =>
  ((await client.query('select from pg_database where datname = $1', [name])).rowCount ?? 0) > 0;

const templates = new Map<string, Promise<string>>();

const ensureTemplate = (client: pg.Client, server: string): Promise<string> => {
  const template = templates.get(server) ?? makeTemplate(client, server);
  templates.set(server, template);
  template.catch(() => templates.delete(server));
  return template;
};

/** Made once per server, under a lock: several processes of tests begin at the same moment. */
const makeTemplate = async (client: pg.Client, server: string): Promise<string> => {
  const template = templateName();
  await client.query("select pg_advisory_lock(hashtext('factline_template'))");
  try {
    if (await exists(client, template)) return template;
    const building = `${template}_building`;
    await client.query(`drop database if exists ${building} with (force)`);
    await client.query(`create database ${building}`);
    const database = createDatabase({
      url: urlOf(server, building),
      applicationName: 'factline-test-template',
    });
    await migrate(database);
    await database.stop();
    await whenUnused(client, building);
    await client.query(`alter database ${building} rename to ${template}`);
    return template;
  } finally {
    await client.query("select pg_advisory_unlock(hashtext('factline_template'))");
  }
};

const graceMs = 3_000;

/** A closed connection's backend ends a moment later; what is left after the grace time is a leak. */
const whenUnused = async (client: pg.Client, name: string): Promise<string[]> => {
  const deadline = Date.now() + graceMs;
  for (;;) {
    const { rows } = await client.query<{ line: string }>(
      `select format('%s pid %s, %s: %s', application_name, pid, state, left(query, 100)) as line
         from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    );
    if (rows.length === 0 || Date.now() > deadline) return rows.map(({ line }) => line);
    await sleep(20);
  }
};

const dropDatabase = (server: string, name: string, leaks: 'fail' | 'ignore'): Promise<void> =>
  withAdministrator(server, async (client) => {
    const open = leaks === 'fail' ? await whenUnused(client, name) : [];
    await client.query(`drop database if exists ${name} with (force)`);
    if (open.length > 0) throw new Error(`connections were left open:\n${open.join('\n')}`);
  });

/**
 * A fresh database for one test file (or one test).
 * @example
 * let database: TestDatabase;
 * beforeAll(async () => { database = await createTestDatabase({ migrated: true }); });
 * afterAll(() => database.drop());
 */
export const createTestDatabase = async (options: TestDatabaseOptions = {}): Promise<TestDatabase> => {
  const server = options.server ?? inject('databaseUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withAdministrator(server, async (client) => {
    const template = options.migrated ? await ensureTemplate(client, server) : 'template0';
    await client.query(`create database ${name} template ${template} strategy file_copy`);
  });
  return {
    url: urlOf(server, name),
    name,
    drop: ({ leaks = 'fail' } = {}) => dropDatabase(server, name, leaks),
  };
};
