import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { auditTable } from './counting-class.ts';
import { audit, publishEvents, until } from './engine-process.ts';
import { WorkerProcess } from './worker-process.ts';

/** A server of its own: this test lets one of its processes crash, and then the server ends every session there is. */
let folder: string;
let server: EmbeddedServer;
let test_: TestDatabase;
let workers: WorkerProcess[] = [];

const query = async (text: string): Promise<Record<string, unknown>> => {
  const client = new pg.Client(test_.url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows[0] ?? {};
  } finally {
    await client.end().catch(() => {});
  }
};

beforeAll(async () => {
  folder = mkdtempSync(
    path.join(fileURLToPath(new URL('../../.factline/', import.meta.url)), `restart-${process.pid}-`),
  );
  server = await startEmbedded({ directory: folder, settings: { max_connections: '100' } });
  test_ = await createTestDatabase({ migrated: true, server: server.url });
  await query(auditTable);
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.end()));
  await server?.stop();
  await removeEmbedded(folder);
});

test('after a restart of the server every process goes on with the lanes it had, and nothing is lost or doubled', async () => {
  const declarations = [{ name: 'orders', lanes: 8 }];
  workers = [
    await WorkerProcess.start({ url: test_.url, declarations, applicationName: 'first' }),
    await WorkerProcess.start({ url: test_.url, declarations, applicationName: 'second' }),
  ];
  await until(() => workers.every((worker) => worker.held === 4), 20_000);
  const owners = `select string_agg(owner::text, ',' order by lane) as owners from factline.lanes`;
  const before = await query(owners);
  await publishEvents(test_.url, { count: 200, keys: 20 });
  const { pid } = await query(`select pid from pg_stat_activity where application_name = 'first tail'`);
  process.kill(Number(pid), 'SIGKILL');
  const back = async (): Promise<boolean> =>
    (await query('select true as up').catch(() => ({})))['up' as never] === true;
  await until(() => workers.some((worker) => worker.reports.some((report) => report.kind === 'dropped')));
  await until(back);
  await publishEvents(test_.url, { count: 200, keys: 20 });
  await until(() => workers.every((worker) => worker.held === 4), 20_000);
  await until(
    async () => (await audit(test_.url, 'orders', ['test.thing.happened.v1'])).missing === 0,
    20_000,
  );
  expect(await audit(test_.url, 'orders', ['test.thing.happened.v1'])).toEqual({
    missing: 0,
    doubled: 0,
    disordered: 0,
    handled: 400,
  });
  // Nobody took the other one for dead because its session was gone.
  expect(await query(owners)).toEqual(before);
}, 90_000);
