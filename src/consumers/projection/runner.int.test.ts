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
import { defineSqlProjection } from './sql-definition.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const OrderWithdrawn = defineEvent({
  type: 'shop.order.withdrawn.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

const orders = defineProjection({
  name: 'orders',
  on: [OrderPlaced, OrderPaid, OrderWithdrawn],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', status: 'text', placedAt: 'timestamptz' },
  indexes: [['status']],
  evolve: (row, event) => {
    if (OrderPlaced.is(event)) return { pence: event.data.pence, status: 'placed', placedAt: event.time };
    if (OrderPaid.is(event)) return row && { ...row, status: 'paid' };
    return null;
  },
});

const revenue = defineSqlProjection({
  name: 'revenue',
  on: [OrderPlaced],
  create: (sql) =>
    sql.query(`create table ${sql.table} (customer text primary key, pounds numeric not null)`),
  apply: (tx, event) =>
    tx.query(
      `insert into ${tx.table} as r values ($1, $2::numeric / 100)
       on conflict (customer) do update set pounds = r.pounds + excluded.pounds`,
      [event.data.customerId, event.data.pence],
    ),
  rows: (event) => event.data.customerId,
});

const placed = (orderId: string, pence = 100, customerId = 'c1') =>
  OrderPlaced({ orderId, customerId, pence });

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (options: Omit<ProjectionProcessOptions, 'url'>): Promise<ProjectionProcess> => {
  const made = createProjectionProcess({ url: database.url, ...options });
  processes.push(made);
  await made.start();
  return made;
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

describe('a projection', () => {
  test('folds what is published into the table behind its view', async () => {
    const app = await launch({ definitions: [orders] });
    await app.publish(
      placed('A1', 4200),
      placed('A2'),
      OrderPaid({ orderId: 'A1' }),
      OrderWithdrawn({ orderId: 'A2' }),
    );
    await app.engine.idle();
    expect(await app.rows('select "orderId", pence::int, status from orders')).toEqual([
      { orderId: 'A1', pence: 4200, status: 'paid' },
    ]);
    expect(app.told.filter(({ name }) => name === 'engine.error')).toEqual([]);
  });

  test('reads your own writes, also of events that it does not read', async () => {
    const app = await launch({ definitions: [orders, revenue] });
    for (let n = 0; n < 20; n++) {
      const token = await app.publish(placed(`A${n}`, 100 + n));
      expect(await app.read(orders, { orderId: `A${n}` }, { token })).toMatchObject({ pence: 100 + n });
      expect(await app.read(revenue, { customer: 'c1' }, { token })).toMatchObject({ customer: 'c1' });
      const other = await app.publish(OrderPaid({ orderId: `A${n}` }));
      expect(await app.read(revenue, { customer: 'c1' }, { token: other })).not.toBeNull();
    }
    expect(await app.read(orders, { orderId: 'nobody' })).toBeNull();
    expect(await app.read(revenue, { customer: 'c1' })).toMatchObject({
      pounds: expect.stringMatching(/^21\.90*$/),
    });
  });

  test('goes on where it stopped, and folds a backlog in batches', async () => {
    const first = await launch({ definitions: [orders] });
    await first.publish(placed('A1'));
    await first.engine.idle();
    await first.engine.stop();
    await first.publish(
      OrderPaid({ orderId: 'A1' }),
      ...Array.from({ length: 5000 }, (_, n) => placed(`B${n}`)),
    );
    await first.engine.start();
    await first.engine.idle();
    expect(
      await first.rows('select count(*)::int, count(*) filter (where status = $1)::int as paid from orders', [
        'paid',
      ]),
    ).toEqual([{ count: 5001, paid: 1 }]);
  });
});
