import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createFactline, type Factline, internals } from '../src/app/index.ts';
import { defineHandler, defineProjection } from '../src/consumers/index.ts';
import { defineEvent } from '../src/contracts/index.ts';
import { systemClock } from '../src/foundation/index.ts';
import { examine } from '../src/operations/index.ts';
import { createDatabase } from '../src/postgres/index.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { readDocuments } from './documents.ts';
import { eventually } from './operational/fixtures.ts';

/* The grants of docs/operations.md are run as they stand, then an app lives with nothing else. */

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const orders = defineProjection({
  name: 'orders',
  on: [OrderPlaced, OrderPaid],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', paid: 'bool' },
  evolve: (row, event) =>
    OrderPlaced.is(event) ? { pence: event.data.pence, paid: false } : row && { ...row, paid: true },
});
const payment = defineHandler({
  name: 'payment',
  on: OrderPlaced,
  rate: '100/s',
  retry: { unclassified: { attempts: 2, base: '1ms' } },
  handle: async ({ data }, { effect, transaction }) => {
    await effect('charge', async () => data.pence);
    if (data.pence === 0) throw new Error('nothing to pay');
    await transaction(async (tx) => tx.publish(OrderPaid({ orderId: data.orderId })));
  },
});

const byHand = (relation: string): string =>
  `insert into ${relation} (position, id, type, source, key, key_hash, data, meta, time) overriding system value
   values (99, gen_random_uuid(), 't', 's', 'k', 0, '{}', '{}', now())`;

const role = `factline_app_${process.pid}`;
let database: TestDatabase;
let owner: pg.Client;
let app: Factline;
let url: string;

const grants = (): string => {
  const page = readDocuments().find(({ file }) => file === 'docs/operations.md');
  const block = page?.blocks.find(
    ({ language, text }) => language === 'sql' && text.includes('-- The role of the app'),
  );
  if (block === undefined) throw new Error('docs/operations.md has no script for the role of the app');
  return block.text.replaceAll('shop_app', role);
};

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  owner = new pg.Client(database.url);
  await owner.connect();
  await owner.query(`create role ${role} login password 'app'`);
  await owner.query(grants());
  const restricted = new URL(database.url);
  restricted.username = role;
  restricted.password = 'app';
  url = restricted.href;
  app = createFactline({
    name: 'shop',
    database: url,
    consumers: [orders, payment],
    handleSignals: false,
  });
});

afterAll(async () => {
  await app.stop();
  await owner.query(`drop owned by ${role}`);
  await owner.query(`drop role ${role}`);
  await owner.end();
  await database.drop();
});

test('an app publishes, handles, parks and reads under the grants that the documentation names', async () => {
  const told: unknown[] = [];
  internals(app).telemetry.listen((event) => event.name === 'engine.error' && told.push(event));
  await app.start();
  await app.publish([OrderPlaced({ orderId: 'A1', pence: 4200 }), OrderPlaced({ orderId: 'A2', pence: 0 })]);
  // What the handler publishes may come after the first look.
  await expect
    .poll(() => app.catchUp({ within: '15s' }), { timeout: 20_000 })
    .toMatchObject({ remaining: 0 });
  expect(await app.read(orders, { orderId: 'A1' })).toEqual({ orderId: 'A1', pence: 4200, paid: true });
  expect((await owner.query('select * from orders order by 1')).rows).toHaveLength(2);
  const verdicts = await app.status();
  expect(verdicts.find(({ consumer }) => consumer === 'payment')).toMatchObject({ quarantined: { keys: 1 } });
  expect(told).toEqual([]);
});

test('the log is read by the stronger rule, and the doctor finds nothing wrong', async () => {
  const own = createDatabase({ url, applicationName: 'doctor' });
  const findings = await examine({ database: own, clock: systemClock });
  await own.stop();
  expect(findings.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(findings.find(({ check }) => check === 'grants')?.message).toMatch(/^both-locks/);
});

test.each([
  ['a position given by hand', byHand('factline.events')],
  ['the same past the log, into its partition', byHand('factline.events_p0')],
  ['a number from the sequence', `select nextval('factline.events_position_seq')`],
  ['another end of the sequence', `select setval('factline.events_position_seq', 99)`],
  ['a changed event', `update factline.events set data = '{}'`],
  ['a removed event', 'delete from factline.events'],
  ['a changed record', `update factline.audit set actor = 'somebody else'`],
])('%s is refused', async (_, statement) => {
  await owner.query(`set role ${role}`);
  await expect(owner.query(statement)).rejects.toMatchObject({ code: '42501' });
  await owner.query('reset role');
});

test("a projection that the owner made is the role's to rebuild once its table and view are", async () => {
  const totals = (version: number) =>
    defineProjection({
      name: 'totals',
      version,
      on: OrderPlaced,
      primaryKey: 'orderId',
      columns: { orderId: 'text', pence: 'int8' },
      evolve: (_, event) => ({ pence: event.data.pence * version }),
    });
  const appOf = (login: string, version: number): Factline =>
    createFactline({ name: 'shop', database: login, consumers: [totals(version)], handleSignals: false });
  const before = appOf(database.url, 1);
  await before.catchUp({ within: '15s' });
  await before.stop();
  await owner.query(`alter table factline.totals__b1 owner to ${role}`);
  await owner.query(`alter view totals owner to ${role}`);
  const after = appOf(url, 2);
  await after.start();
  await eventually(
    async () => (await owner.query(`select from totals where pence = 8400`)).rowCount === 1,
    'the second version is read',
  );
  await after.stop();
});
