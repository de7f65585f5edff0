import pg from 'pg';
import { inject } from 'vitest';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

let count = 0;

/** A database of its own on the server of the test run. */
export async function createTestDatabase(purpose: string): Promise<TestDatabase> {
  count += 1;
  const name = `order_pipeline_${purpose}_${process.pid}_${count}`;
  const server = inject('databaseUrl');
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await run(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) };
}
