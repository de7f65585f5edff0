import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { type EmbeddedServer, startEmbedded } from '../src/postgres/embedded/index.ts';
import { createDatabase, migrate } from '../src/postgres/index.ts';
import { openServerFolder } from './server-folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Logs in as the superuser of the PostgreSQL server that this run of the tests owns. */
    databaseUrl: string;
  }
}

/**
 * What the tests need beyond the defaults. No fsync and no pages against torn writes: nothing here cuts the power, and a kill -9
 * of any process loses nothing without them; a test about durability starts a server of its own.
 */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  max_prepared_transactions: '20',
  shared_preload_libraries: 'pg_stat_statements',
  track_commit_timestamp: 'off',
};

const version = (): 15 | 18 => {
  const wanted = process.env['FACTLINE_TEST_POSTGRES'] ?? '18';
  if (wanted === '15') return 15;
  if (wanted === '18') return 18;
  throw new Error(`FACTLINE_TEST_POSTGRES is 15 or 18, not ${wanted}`);
};

/** The same password, hashed once instead of 4096 times. */
const quickVerifier = (password: string): string => {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, 1, 32, 'sha256');
  const keyed = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
};

/**
 * The tests log in ten thousand times and more, and the proof without telling the password costs each time what a few statements
 * cost: here clients simply tell it. Servers that tests start themselves are asked in the usual way.
 */
const askForPasswordItself = async (client: pg.Client): Promise<void> => {
  const { rows } = await client.query<{ file: string }>("select current_setting('hba_file') as file");
  const file = String(rows[0]?.file);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('scram-sha-256', 'password'));
  await client.query('select pg_reload_conf()');
};

/**
 * Makes new databases cheap: `template1` holds Factline's schema, so that what the test kit makes need not be migrated. Tests
 * about an empty database ask for one (test/database.ts).
 */
const prepare = async ({ url }: EmbeddedServer): Promise<void> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const password = decodeURIComponent(new URL(url).password);
  await client.query(`alter role postgres password ${pg.escapeLiteral(quickVerifier(password))}`);
  await askForPasswordItself(client);
  await client.end();
  const template = new URL(url);
  template.pathname = '/template1';
  const database = createDatabase({ url: template.href, applicationName: 'factline-test-template' });
  await migrate(database);
  await database.stop();
};

/**
 * Vitest's global set-up: one PostgreSQL server for the whole run. With FACTLINE_TEST_DATABASE_URL the tests use that server
 * instead (16 and 17, by hand).
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['FACTLINE_TEST_DATABASE_URL'];
  if (given) {
    project.provide('databaseUrl', given);
    return async () => {};
  }
  const folder = await openServerFolder();
  try {
    const server = await startEmbedded({ directory: folder.path, version: version(), settings });
    await prepare(server);
    project.provide('databaseUrl', server.url);
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return () => folder.remove();
}
