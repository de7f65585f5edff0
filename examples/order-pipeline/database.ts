import { readFile } from 'node:fs/promises';
import pg from 'pg';

/** The pipeline's own database inside the server that it is given. */
const DATABASE_NAME = 'order_pipeline';

const TABLES = [
  './boxes/orders/tables.sql',
  './boxes/inventory/tables.sql',
  './boxes/payment/tables.sql',
  './boxes/fulfilment/tables.sql',
  './boxes/shipping/tables.sql',
  './boxes/carrier/tables.sql',
  './boxes/notification/tables.sql',
  './analytics/tables.sql',
  './run/tables.sql',
] as const;

/** Another run is at work on the same database. */
export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
}

/**
 * Makes the pipeline's database on a server, and the boxes' tables in it.
 *
 * @param serverUrl any database of the server, as a role that may create databases
 * @param keep goes on with what the last run left; otherwise that is dropped
 * @returns the URL of the pipeline's database
 */
export async function prepareDatabase(
  serverUrl: string,
  { keep, name = DATABASE_NAME }: { keep: boolean; name?: string },
): Promise<string> {
  const quoted = pg.escapeIdentifier(name);
  await withClient(serverUrl, async (client) => {
    await refuseSecondRun(client, name);
    if (!keep) await client.query(`drop database if exists ${quoted} with (force)`);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${quoted}`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await createTables(url.href);
  return url.href;
}

/** A run that was killed is gone from here at once, whatever it left behind. */
async function refuseSecondRun(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query(
    `select from pg_stat_activity where datname = $1 and application_name = 'payment-provider'`,
    [name],
  );
  if (rowCount !== null && rowCount > 0) {
    throw new DatabaseInUse(`another run of the pipeline uses the database ${name}: stop it first`);
  }
}

/** Creates the boxes' tables where they are missing. */
export async function createTables(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    for (const file of TABLES) await client.query(await readFile(new URL(file, import.meta.url), 'utf8'));
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'order-pipeline' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
