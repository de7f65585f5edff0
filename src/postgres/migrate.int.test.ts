import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { schemaDump } from '../../test/schema-dump.ts';
import { createDatabase, type Database } from './database.ts';
import { checkServer, migrate, migrations, pendingMigrations } from './migrate.ts';
import type { Queryable } from './queries.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, applicationName: 'test' });
});
afterEach(async () => {
  await database.stop();
  await testDatabase.drop();
});

const names = migrations().map(({ name }) => name);

describe('the migrations', () => {
  it('make the schema that was reviewed (else: look at the difference, then run this test with -u)', async () => {
    await migrate(database);
    await expect(await schemaDump(database.operations)).toMatchFileSnapshot('./schema-dump.txt');
  });

  it('are applied once each, in order, however many processes start at the same moment', async () => {
    const processes = Array.from({ length: 4 }, (_, n) =>
      createDatabase({ url: testDatabase.url, applicationName: `test ${n}` }),
    );
    try {
      const results = await Promise.all(processes.map((each) => migrate(each)));
      expect(results.map(({ applied }) => applied.length).sort((a, b) => a - b)).toEqual([
        0,
        0,
        0,
        names.length,
      ]);
      expect(results.flatMap(({ applied }) => applied)).toEqual(names);
    } finally {
      await Promise.all(processes.map((each) => each.stop()));
    }
    expect(await migrate(database)).toEqual({ applied: [] });
  });

  it('leave nothing behind when one of them fails, which is named, and go on once that is mended', async () => {
    // The table of another program, which a later migration wants to make.
    await database.operations.query('create schema factline; create table factline.alerts (own int)');
    const steps: string[] = [];
    const failed = migrate(database, { onStep: (name) => steps.push(name) });
    await expect(failed).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringMatching(/0005_alerts failed and was rolled back: .*already exists/),
    });
    expect(steps).toEqual(names.slice(0, names.indexOf('0005_alerts') + 1));
    expect(await pendingMigrations(database.operations)).toEqual(names);
    const left = await database.operations.query(
      `select relname from pg_class where relnamespace = 'factline'::regnamespace and relkind in ('r', 'p')`,
    );
    expect(left.rows).toEqual([{ relname: 'alerts' }]);
    await database.operations.query('drop table factline.alerts');
    expect(await migrate(database)).toEqual({ applied: names });
  });
});

describe('a database that a newer release has migrated', () => {
  beforeEach(async () => {
    await migrate(database);
  });
  const note = (breaking: boolean) =>
    database.operations.query('insert into factline.migrations (name, breaking) values ($1, $2)', [
      '9999_tomorrow',
      breaking,
    ]);

  it('is used by this release, which may still run while the newer one is rolled out', async () => {
    await note(false);
    expect(await pendingMigrations(database.operations)).toEqual([]);
    expect(await migrate(database)).toEqual({ applied: [] });
  });

  it('is refused where that migration says that older releases cannot work with it', async () => {
    await note(true);
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'MIGRATION_NEWER_THAN_CODE',
      message: expect.stringContaining('9999_tomorrow'),
    });
  });
});

describe('a server', () => {
  const told = { version: 160_004, text: '16.4', standby: false, read_only: false };
  const looksLike = (facts: Partial<typeof told>) =>
    checkServer(
      { query: async () => ({ rows: [{ ...told, ...facts }] }) } as unknown as Queryable,
      'db.example',
    );

  it('that is older than what the proof was made for is refused, with what is supported; of a newer one it is said', async () => {
    await expect(looksLike({})).resolves.toEqual({ version: '16.4', isNewer: false });
    await expect(looksLike({ version: 190_000, text: '19.0' })).resolves.toMatchObject({ isNewer: true });
    await expect(looksLike({ version: 140_012, text: '14.12' })).rejects.toMatchObject({
      code: 'DATABASE_VERSION_UNSUPPORTED',
      message: 'PostgreSQL 14.12 is not supported; 15 to 18 are.',
    });
  });

  it('that is a replica is refused: reads from one showed orders that never existed (Jepsen, RDS multi-AZ)', async () => {
    await expect(looksLike({ standby: true })).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
      message: expect.stringContaining('standby'),
    });
  });
});
