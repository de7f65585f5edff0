import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './database.ts';

test('a migrated test database holds the schema, and is gone after drop', async () => {
  const [database, other] = await Promise.all([
    createTestDatabase({ migrated: true }),
    createTestDatabase({ migrated: true }),
  ]);
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query(`select to_regclass('factline.events') is not null as there`);
  expect(rows).toEqual([{ there: true }]);
  await client.end();
  await Promise.all([database.drop(), other.drop()]);
  await expect(new pg.Client(database.url).connect()).rejects.toThrow(/does not exist/);
});

test('dropping a test database fails when a connection was left open, and names it', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url, application_name: 'the leak' });
  client.on('error', () => {});
  await client.connect();
  await expect(database.drop()).rejects.toThrow(/the leak/);
});
