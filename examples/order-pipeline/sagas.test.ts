import type { Factline } from 'factline';
import {
  type CrashScenario,
  exploreCrashes,
  type Saga,
  type SagaAtRest,
  type SagaWorld,
} from 'factline/testing';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { fulfilment } from './boxes/fulfilment/fulfilment.ts';
import { inventory } from './boxes/inventory/inventory.ts';
import { customerNotification } from './boxes/notification/customer-notification.ts';
import { cancelOrder, placeOrder } from './boxes/orders/index.ts';
import { payment } from './boxes/payment/payment.ts';
import { shipping } from './boxes/shipping/shipping.ts';
import { createTables } from './database.ts';
import {
  declinedOrder,
  type OutsideProvider,
  outsideMailer,
  startOutsideProvider,
} from './test/outside-provider.ts';

/*
 * The choreographed saga placed → reserved → paid → packed → shipped, with what takes it back: every step of every box dies and
 * fails once, and whatever happens money, goods and mails come out right.
 */

let provider: OutsideProvider;
beforeAll(async () => {
  provider = await startOutsideProvider();
});
afterAll(() => provider.stop());

const choreography: Saga = (outside) => [
  inventory(),
  payment({ providerUrl: provider.urlFor(outside) }),
  fulfilment(),
  shipping(),
  customerNotification({ mailer: outsideMailer(outside) }),
];

type Transactions = Pick<Factline, 'transaction'>;
const customer = { customerId: '17850', country: 'United Kingdom' };
const moment = new Date('2010-12-01T08:26:00Z');

const place = (app: Transactions, orderId = 'A-1', quantity = 6) =>
  placeOrder(
    app,
    {
      ...customer,
      orderId,
      placedAt: moment,
      lines: [{ stockCode: '85123A', description: 'a heart', quantity, unitPence: 255 }],
    },
    null,
  );
const cancel = (app: Transactions, quantity = 6) =>
  cancelOrder(
    app,
    { ...customer, cancellationId: 'C-1', requestedAt: moment, lines: [{ stockCode: '85123A', quantity }] },
    { request: null, word: () => ({ status: 200, body: {} }) },
  );

/** Nothing comes between: what is published here stands side by side in the log. */
const atOnce = ({ app }: SagaWorld, work: (app: Transactions) => Promise<void>) =>
  app.transaction((tx) =>
    work({ transaction: async (inner) => ({ value: await inner(tx), token: '' }) } as Transactions),
  );

const beginnings: CrashScenario['begin'] = {
  shipped: ({ app }) => place(app),
  'cancelled in time': (world) =>
    atOnce(world, async (app) => {
      await place(app);
      await cancel(app);
    }),
  'a part cancelled in time': (world) =>
    atOnce(world, async (app) => {
      await place(app);
      await cancel(app, 2);
    }),
  'sent back': async ({ app, settled }) => {
    await place(app);
    await settled();
    await cancel(app);
  },
  declined: ({ app }) => place(app, declinedOrder),
  'out of stock': ({ app }) => place(app, 'A-1', 2_000_000),
};

const sum = (values: readonly unknown[]): number =>
  values.reduce<number>((total, value) => total + Number(value), 0);

/** Every order has ended, the customer has paid for what he has kept, and nothing is set aside for nobody. */
const comesOutRight = async ({ query, outside }: SagaAtRest): Promise<void> => {
  const [order] = await query(`
    select o.order_id, f.state, (s.order_id is not null) as shipped,
      (select sum(open)::int from orders.order_lines) as open, (select sum(quantity)::int from orders.order_lines) as ordered
    from orders.orders o left join fulfilment.orders f using (order_id) left join shipping.shipments s using (order_id)`);
  expect(order?.['state']).toMatch(/^(packed|stopped)$/);
  expect(order?.['shipped']).toBe(order?.['state'] === 'packed');
  const kept = order?.['shipped'] ? Number(order['open']) : 0;
  expect(await query('select reserved::int, (initial - on_hand)::int as gone from inventory.stock')).toEqual([
    { reserved: 0, gone: kept },
  ]);
  const pence = (name: string): number => sum(outside.effects(name).map(({ request }) => request['pence']));
  expect(pence('charge') - pence('refund')).toBe(kept * 255);
  const notified = await query<{ id: string }>('select message_id as id from notification.notifications');
  expect(outside.effects('mail')).toHaveLength(notified.length);
  expect(notified.length).toBeGreaterThan(0);
};

it('survives a crash and a failure at every step of every box', { timeout: 300_000 }, async () => {
  const report = await exploreCrashes(choreography, {
    name: 'order-pipeline',
    server: inject('databaseUrl'),
    setUp: ({ databaseUrl }) => createTables(databaseUrl),
    begin: beginnings,
    invariant: comesOutRight,
    parallel: 2,
  });
  expect(report.notReached).toEqual([]);
  expect(report.coverage).toBe(1);
});
