import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { defineEvent } from '../../contracts/index.ts';
import { systemRandomness, uuidv7 } from '../../foundation/index.ts';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from '../../postgres/embedded/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import { publishingTransaction } from './publishing-transaction.ts';

const Counted = defineEvent({
  type: 'shop.thing.counted.v1',
  key: 'id',
  schema: z.object({ id: z.string() }),
});

/** A server of its own: it crashes. */
let folder: string;
let server: EmbeddedServer;
let own: TestDatabase;
let database: Database;

const connected = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client(own.url);
  client.on('error', () => {});
  await client.connect();
  return work(client).finally(() => client.end().catch(() => {}));
};
const one = (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>> =>
  connected(async (client) => (await client.query(text, [...values])).rows[0] ?? {});

beforeAll(async () => {
  folder = mkdtempSync(
    path.join(fileURLToPath(new URL('../../../.factline/', import.meta.url)), `lost-${process.pid}-`),
  );
  server = await startEmbedded({
    directory: folder,
    settings: { restart_after_crash: 'on', wal_buffers: '16MB' },
  });
  own = await createTestDatabase({ migrated: true, server: server.url });
  database = createDatabase({ url: own.url, applicationName: 'publisher' });
  // COMMIT waits in it, when the answer to what came before has been sent.
  await connected((client) =>
    client.query(`create table held (id integer);
    create function hold() returns trigger language plpgsql as 'begin perform pg_sleep(600); return null; end';
    create constraint trigger hold after insert on held deferrable initially deferred for each row execute function hold();
    create table others (id integer)`),
  );
});
afterAll(async () => {
  await database?.stop();
  await server?.stop();
  await removeEmbedded(folder);
});

/** Begins to publish so much that the server answers before it commits; what it has written stays in its memory. */
const publishUntilCommit = async (): Promise<{
  readonly published: Promise<unknown>;
  readonly xid: string;
  readonly crash: () => Promise<void>;
}> => {
  const { pid: writer } = await one(`select pid from pg_stat_activity where backend_type = 'walwriter'`);
  process.kill(Number(writer), 'SIGSTOP');
  const published = publishingTransaction(
    { database, source: 'shop', nextId: () => uuidv7(Date.now(), systemRandomness) },
    async (tx) => {
      await tx.query('insert into held values (1)');
      for (let number = 0; number < 6_000; number += 1) tx.publish(Counted({ id: String(number) }));
    },
  );
  published.catch(() => {});
  const holding = `select pid, backend_xid::text as xid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
  const { pid, xid } = await vi.waitFor(
    async () => {
      const found = await one(holding);
      expect(found['pid']).toBeDefined();
      return found;
    },
    { timeout: 20_000 },
  );
  const crash = (): Promise<void> =>
    connected(async (client) => {
      const ended = new Promise((resolve) => client.once('end', resolve));
      process.kill(Number(pid), 'SIGKILL');
      await ended;
      // Only now: it has been told to quit, and writes nothing any more.
      process.kill(Number(writer), 'SIGCONT');
    });
  return { published, xid: String(xid), crash };
};

const whenUp = (): Promise<unknown> => vi.waitFor(() => one('select 1'), { timeout: 20_000 });
const logIsEmpty = async (): Promise<boolean> =>
  (await one('select count(*)::int as events from factline.events'))['events'] === 0;

test('a COMMIT that a crash of the server took with it is not taken for that of another transaction under the same id', async () => {
  const gate = Promise.withResolvers<void>();
  const { transactions } = database;
  const ask = transactions.query.bind(transactions) as (...values: unknown[]) => Promise<unknown>;
  vi.spyOn(transactions, 'query').mockImplementation((async (...values: unknown[]) => {
    await gate.promise;
    return ask(...values);
  }) as never);
  try {
    const { published, xid, crash } = await publishUntilCommit();
    await crash();
    await whenUp();
    const { status } = await connected(async (client) => {
      const next = async (): Promise<number> =>
        Number(
          (await client.query('insert into others values (1) returning pg_current_xact_id()::text as xid'))
            .rows[0].xid,
        );
      while ((await next()) < Number(xid));
      return (await client.query('select pg_xact_status($1::text::xid8) as status', [xid])).rows[0];
    });
    expect(status).toBe('committed');
    expect(await logIsEmpty()).toBe(true);
    gate.resolve();
    await expect(published).rejects.toMatchObject({ code: 'COMMIT_ABORTED' });
  } finally {
    gate.resolve();
    vi.restoreAllMocks();
  }
}, 90_000);

test('an id that the server has forgotten with a crash is that of an aborted transaction', async () => {
  const { published, crash } = await publishUntilCommit();
  await crash();
  await expect(published).rejects.toMatchObject({ code: 'COMMIT_ABORTED' });
  expect(await logIsEmpty()).toBe(true);
}, 90_000);
