import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFactline, type Factline } from '../../src/app/index.ts';
import { defineHandler, defineProjection, defineWorkflow } from '../../src/consumers/index.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { type LossyProxy, startLossyProxy } from '../lossy-proxy.ts';
import { OrderPlaced, placed } from '../operational/fixtures.ts';
import { createHandlerProcess } from '../operational/handler-process.ts';

/*
 * The database goes away from an app with a consumer of each class: it says so (all connections end), or it does not (nothing comes
 * any more, as when a machine lost its power).
 */
let database: TestDatabase;
let proxy: LossyProxy;
let app: Factline;
let witness: Factline;
let begun: Record<'handler' | 'step', PromiseWithResolvers<void>>;
let gate: PromiseWithResolvers<void>;

const orders = defineProjection({
  name: 'orders',
  on: [OrderPlaced],
  primaryKey: 'orderId',
  columns: { orderId: 'text', n: 'int8' },
  evolve: (_, { data: { n } }) => ({ n }),
});
const pass = async (who: 'handler' | 'step'): Promise<void> => {
  begun[who].resolve();
  await gate.promise;
};
const mailer = defineHandler({
  name: 'mailer',
  on: [OrderPlaced],
  startAt: 'beginning',
  handle: async ({ data: { n } }, { transaction }) => {
    await pass('handler');
    await transaction((tx) => tx.query('insert into mails values ($1)', [n]));
  },
});
const fulfil = defineWorkflow({
  name: 'fulfil',
  on: OrderPlaced,
  run: async (_, { step }) => {
    await step('reserve', () => pass('step'));
    await step('ship', async () => {});
  },
});

const consumers = [orders, mailer, fulfil];
const publish = async (from: number, count: number): Promise<void> => {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  await witness.publish(numbers.map((n) => placed(`A${n}`, n)));
};
const query = async (text: string): Promise<Record<string, unknown> | undefined> => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query(text)).rows[0];
  } finally {
    await client.end();
  }
};
/** How many events there are, and how many have gone through each of the consumers. */
const counts = (): Promise<unknown> =>
  query(
    `select (select count(*) from factline.events)::int as events, (select count(*) from orders)::int as projected,
            (select count(*) from mails)::int as mailed, (select count(*) from factline.parked)::int as parked,
            (select count(*) from factline.workflow_instances where state = 'completed')::int as fulfilled`,
  );
const through = (events: number): unknown => ({
  events,
  projected: events,
  mailed: events,
  fulfilled: events,
  parked: 0,
});

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
  proxy = await startLossyProxy(database.url);
  await query('create table mails (n int primary key)');
  begun = { handler: Promise.withResolvers(), step: Promise.withResolvers() };
  gate = Promise.withResolvers();
  const settings = { codeVersion: '1', handleSignals: false } as const;
  app = createFactline({ ...settings, name: 'shop', database: proxy.url, consumers });
  const contracts = [OrderPlaced];
  witness = createFactline({
    ...settings,
    name: 'witness',
    database: database.url,
    consumers: [],
    contracts,
  });
});
afterEach(async () => {
  gate.resolve();
  await Promise.all([app.stop(), witness.stop()]);
  await proxy.close();
  await database.drop({ leaks: 'ignore' });
});

test.each([
  ['goes away', () => proxy.cut()],
  ['falls silent', () => proxy.deafen()],
])(
  'an app whose database %s as it is stopped is stopped all the same, and what was under way is done by the next',
  async (_what, vanish) => {
    await app.start();
    await publish(0, 20);
    await Promise.all([begun.handler.promise, begun.step.promise]);
    const stopped = app.stop();
    vanish();
    // What is done now can't be recorded.
    gate.resolve();
    expect(await Promise.race([stopped.then(() => 'stopped'), sleep(30_000, 'still stopping')])).toBe(
      'stopped',
    );

    proxy.restore();
    await app.start();
    await expect.poll(counts, { timeout: 20_000 }).toEqual(through(20));
  },
  90_000,
);

test('where nothing comes any more from the database and no connection ends, it is known in seconds, and goes on over others', async () => {
  gate.resolve();
  await app.start();
  await publish(0, 20);
  await expect.poll(counts, { timeout: 20_000 }).toEqual(through(20));
  for (let n = 20; n < 40; n += 1) {
    await publish(n, 1);
    if (n === 30) proxy.deafen();
  }
  await expect.poll(counts, { timeout: 45_000 }).toEqual(through(40));
}, 90_000);

test('who waits for a transaction of a server that is no more is told what became of it', async () => {
  gate.resolve();
  await app.start();
  // A connection that is well, and then idle.
  await app.publish(placed('A0', 0));
  proxy.deafen();
  const told = app.publish(placed('A1', 1)).then(
    () => 'committed',
    (error: { code: string }) => error.code,
  );
  await query(
    `select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'shop transactions'`,
  );
  expect(await Promise.race([told, sleep(40_000, 'nothing')])).toBe('COMMIT_ABORTED');
  await expect.poll(counts, { timeout: 20_000 }).toEqual(through(1));
}, 90_000);

test('a process that stood still itself finds its answers waiting, and keeps its connections', async () => {
  const process = createHandlerProcess({ url: database.url, definitions: [mailer] });
  gate.resolve();
  await process.start();
  const told = (event: string): boolean => process.told.some(({ name }) => name === event);
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8_000);
    await expect.poll(() => told('process.suspended'), { timeout: 5_000 }).toBe(true);
    await publish(0, 1);
    await expect.poll(() => query('select n from mails'), { timeout: 10_000 }).toEqual({ n: 0 });
    await sleep(1_500);
    expect(told('connections.severed')).toBe(false);
  } finally {
    await process.stop();
  }
}, 60_000);
