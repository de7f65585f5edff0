import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
  type ProjectionProcessOptions,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { defineProjection } from './definition.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});
const placed = (orderId: string, pence = 100) =>
  OrderPlaced({ orderId, customerId: `c${orderId.length}`, pence });

const first = defineProjection({
  name: 'orders',
  on: [OrderPlaced],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8' },
  evolve: (row, event) => ({ pence: (row?.pence ?? 0) + event.data.pence }),
});
/** Appends a column. */
const second = defineProjection({
  name: 'orders',
  version: 2,
  on: [OrderPlaced],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', customerId: 'text' },
  evolve: (row, event) => ({
    pence: (row?.pence ?? 0) + event.data.pence,
    customerId: event.data.customerId,
  }),
});
/** Drops and reorders columns: the view has to be made anew. */
const third = defineProjection({
  name: 'orders',
  version: 3,
  on: [OrderPlaced],
  primaryKey: 'customerId',
  columns: { customerId: 'text', orders: 'int4' },
  evolve: (row) => ({ orders: (row?.orders ?? 0) + 1 }),
});

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (options: Partial<ProjectionProcessOptions> = {}): Promise<ProjectionProcess> => {
  const made = createProjectionProcess({ url: database.url, definitions: [first], ...options });
  processes.push(made);
  await made.start();
  return made;
};

const shown = async (app: ProjectionProcess): Promise<unknown> =>
  (
    await app.rows(`select t.relname from pg_rewrite r join pg_depend d on d.objid = r.oid join pg_class t on t.oid = d.refobjid
    where r.ev_class = 'orders'::regclass and t.relnamespace = 'factline'::regnamespace limit 1`)
  )[0]?.['relname'];

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

const reader = async (app: ProjectionProcess): Promise<void> => {
  await app.rows(
    `do $$ begin create role factline_test_reader; exception when duplicate_object then null; end $$`,
  );
  await app.rows('grant select on orders to factline_test_reader');
};
const readerMayRead = async (app: ProjectionProcess): Promise<unknown> =>
  (await app.rows(`select has_table_privilege('factline_test_reader', 'orders', 'select') as may`))[0]?.[
    'may'
  ];

describe('builds', () => {
  test('a rebuild makes equal rows from the beginning, then moves the view and keeps its grants', async () => {
    const app = await launch();
    await app.publish(...Array.from({ length: 3000 }, (_, n) => placed(`A${n % 700}`, n)));
    await app.engine.idle();
    await reader(app);
    const before = await app.rows('select * from orders order by 1');
    expect(await app.ask('orders', 'rebuild')).toMatchObject({
      state: 'done',
      answer: { build: 2, shards: 1, because: null },
    });
    await until(async () => (await shown(app)) === 'orders__b2');
    expect(await app.rows('select * from orders order by 1')).toEqual(before);
    expect(await readerMayRead(app)).toBe(true);
    const token = await app.publish(placed('A7', 1000));
    const row = await app.read(first, { orderId: 'A7' }, { token });
    expect(row?.pence).toBe(Number(before.find((each) => each['orderId'] === 'A7')?.['pence']) + 1000);
    // The one before is fed on: it is the way back.
    await app.engine.idle();
    expect(await app.rows('select * from orders order by 1')).toEqual(
      await app.rows('select * from factline.orders__b1 order by 1'),
    );
    expect(
      await app.rows(
        'select k.build, k.state, b.stage from factline.consumers k join factline.builds b on b.consumer_id = k.id order by 1',
      ),
    ).toEqual([
      { build: 1, state: 'building', stage: 'standby' },
      { build: 2, state: 'live', stage: 'live' },
    ]);
    // One way back is kept: the next rebuild takes the first one's away.
    await app.ask('orders', 'rebuild');
    await until(async () => (await shown(app)) === 'orders__b3');
    await until(
      async () =>
        (await app.rows(`select to_regclass('factline.orders__b1') as there`))[0]?.['there'] === null,
    );
  });

  test('a raised version is filled beside the old rows, which stay readable until it has caught up', async () => {
    const old = await launch();
    await old.publish(...Array.from({ length: 50 }, (_, n) => placed(`A${n}`)));
    await old.engine.idle();
    await reader(old);
    let hold: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      hold = resolve;
    });
    const next = await launch({
      definitions: [second],
      testStep: (step) => (step === 'projection.before-switch' ? held : undefined),
    });
    await next.engine.idle();
    expect(await shown(next)).toBe('orders__b1');
    await expect(next.read(second, { orderId: 'A1' })).rejects.toMatchObject({ code: 'PROJECTION_BUILDING' });
    expect(next.engine.running()[0]?.progress.reasons.join()).toMatch(/build 2 is being filled/);
    await old.publish(placed('B1', 7));
    await old.engine.idle();
    hold();
    await until(async () => (await shown(next)) === 'orders__b2');
    expect(await next.rows(`select * from orders where "orderId" = 'B1'`)).toEqual([
      { orderId: 'B1', pence: '7', customerId: 'c2' },
    ]);
    expect(await readerMayRead(next)).toBe(true);
    // The older code goes on feeding its own table until its last process stops.
    await next.publish(placed('B2', 8));
    await old.engine.idle();
    expect(await old.rows(`select count(*)::int from factline.orders__b1 where "orderId" = 'B2'`)).toEqual([
      { count: 1 },
    ]);
    expect(await shown(next)).toBe('orders__b2');
  });

  test('a view whose columns change is made anew with its grants; one that others read is not touched', async () => {
    const old = await launch();
    await old.publish(placed('A1'), placed('A2'), placed('A10'));
    await old.engine.idle();
    await reader(old);
    await old.rows('create view readers_view as select "orderId" from orders');
    await old.stop();
    processes = [];
    const refused = createProjectionProcess({ url: database.url, definitions: [third] });
    await expect(refused.start()).rejects.toThrow(/other views read it: public.readers_view/);
    await refused.stop();
    const again = createProjectionProcess({ url: database.url, definitions: [third] });
    processes.push(again);
    await again.rows('drop view readers_view');
    await again.start();
    await until(async () => (await shown(again)) === 'orders__b2');
    expect(await again.rows('select * from orders order by 1')).toEqual([
      { customerId: 'c2', orders: 2 },
      { customerId: 'c3', orders: 1 },
    ]);
    expect(await readerMayRead(again)).toBe(true);
  });

  test('an object of the same name that is not ours is never replaced', async () => {
    const app = createProjectionProcess({ url: database.url, definitions: [first] });
    processes.push(app);
    await app.rows('create table orders (id int)');
    await expect(app.start()).rejects.toMatchObject({ code: 'PROJECTION_NAME_TAKEN' });
    expect(await app.rows(`select to_regclass('factline.orders__b1') as there`)).toEqual([{ there: null }]);
  });
});
