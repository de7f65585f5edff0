import { readFile } from 'node:fs/promises';
import type { Factline } from 'factline';
import {
  type CrashScenario,
  exploreCrashes,
  type Outside,
  type Saga,
  type SagaAtRest,
  type SagaWorld,
} from 'factline/testing';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { carrier } from './boxes/carrier/carrier.ts';
import { fulfilment } from './boxes/fulfilment/fulfilment.ts';
import { inventory } from './boxes/inventory/inventory.ts';
import { customerNotification } from './boxes/notification/customer-notification.ts';
import { cancelOrder, placeOrder } from './boxes/orders/index.ts';
import { payment } from './boxes/payment/payment.ts';
import { shipping } from './boxes/shipping/shipping.ts';
import { createTables } from './database.ts';
import { messageIdOf } from './mail/mailer.ts';
import { cancelFulfilment } from './orchestration/cancel-fulfilment.ts';
import { fulfilOrder } from './orchestration/fulfil-order.ts';
import { takeBack } from './orchestration/take-back.ts';
import { declinedOrder, type LedgerProviders, startLedgerProviders } from './test/ledger-providers.ts';

/*
 * The saga placed → reserved → paid → packed → shipped, and what takes it back, by choreography and by one workflow an order:
 * every step of it dies and fails once, and whatever happens money, goods and mails come out right.
 */

let providers: LedgerProviders;
beforeAll(async () => {
  providers = await startLedgerProviders(inject('databaseUrl'));
});
afterAll(() => providers.stop());

const mailer = (outside: Outside) => ({
  send: ({ to, subject, idempotencyKey }: { to: string; subject: string; idempotencyKey: string }) =>
    outside.call('mail', { idempotencyKey, to, subject }, messageIdOf(idempotencyKey)),
  stop: () => {},
});

const choreography: Saga = (outside, { databaseUrl }) => [
  inventory(),
  payment({ providerUrl: providers.urlFor(databaseUrl) }),
  fulfilment(),
  shipping(),
  customerNotification({ mailer: mailer(outside) }),
];

const orchestration: Saga = (_, place) => {
  const providerUrl = providers.urlFor(place.databaseUrl);
  const workflow = fulfilOrder({
    providerUrl,
    collectedWithin: '2m',
    transaction: (...work) => place.app.transaction(...work),
  });
  return [
    workflow,
    takeBack({ providerUrl, cancelWorkflow: (orderId) => cancelFulfilment(place.app, workflow, orderId) }),
    carrier({ latencyMs: [0, 0], missesPercent: 20 }),
  ];
};
/** Of these orders the carrier's van picks up the first one and misses the second one. */
const [pickedUp, missed] = ['A-1', 'A-2'] as const;

type Transactions = Pick<Factline, 'transaction'>;
const customer = { customerId: '17850', country: 'United Kingdom' };
const moment = new Date('2010-12-01T08:26:00Z');
const pence = 255;

const place = (app: Transactions, orderId: string = pickedUp, quantity = 6) => {
  const line = { stockCode: '85123A', description: 'a heart', quantity, unitPence: pence };
  return placeOrder(app, { ...customer, orderId, placedAt: moment, lines: [line] }, null);
};
const cancel = (app: Transactions, quantity = 6) =>
  cancelOrder(
    app,
    { ...customer, cancellationId: 'C-1', requestedAt: moment, lines: [{ stockCode: '85123A', quantity }] },
    { request: null, word: () => ({ status: 200, body: {} }) },
  );

/** Nothing comes between: what is published here stands side by side in the log. */
const placeAndCancel = ({ app }: SagaWorld, quantity: number) =>
  app.transaction(async (tx) => {
    const inside = { transaction: async (work) => ({ value: await work(tx), token: '' }) } as Transactions;
    await place(inside);
    await cancel(inside, quantity);
  });

const beginnings = {
  shipped: ({ app }: SagaWorld) => place(app),
  'cancelled in time': (world: SagaWorld) => placeAndCancel(world, 6),
  'a part cancelled in time': (world: SagaWorld) => placeAndCancel(world, 2),
  'sent back': async ({ app, settled }: SagaWorld) => {
    await place(app);
    await settled();
    await cancel(app);
  },
  declined: ({ app }: SagaWorld) => place(app, declinedOrder),
  'out of stock': ({ app }: SagaWorld) => place(app, pickedUp, 2_000_000),
};

/** The customer has paid for what he has kept, and nothing is set aside for nobody. */
const comesOutRight = async ({ query }: SagaAtRest): Promise<void> => {
  const [order] = await query(`
    select f.state, (s.order_id is not null) as shipped, (select sum(open)::int from orders.order_lines) as open
    from orders.orders o left join fulfilment.orders f using (order_id) left join shipping.shipments s using (order_id)`);
  if (order?.['shipped']) expect(order['state']).toBe('packed');
  const kept = order?.['shipped'] ? Number(order['open']) : 0;
  const stock = await query('select reserved::int, (initial - on_hand)::int as gone from inventory.stock');
  expect(stock).toEqual(stock.length === 0 ? [] : [{ reserved: 0, gone: kept }]);
  const paid = kept * pence;
  const books = await query(`
    select coalesce(sum(case status when 'captured' then pence when 'refunded' then -pence end), 0)::int as kept,
      (select coalesce(sum(pence - refunded_pence), 0)::int from payment.payments where status = 'captured') as booked,
      (select count(*)::int from payment_provider.ledger a where a.status = 'authorised'
         and not exists (select from payment_provider.ledger e where e.charge = a.reference and e.reference <> a.reference)) as open
    from payment_provider.ledger`);
  expect(books).toEqual([{ kept: paid, booked: paid, open: 0 }]);
};

const everyMailOnce = async ({ query, outside }: SagaAtRest): Promise<void> => {
  const notified = await query('select from notification.notifications');
  expect(outside.effects('mail')).toHaveLength(notified.length);
  expect(notified.length).toBeGreaterThan(0);
};

const scenario: Omit<CrashScenario, 'begin' | 'invariant'> = {
  name: 'order-pipeline',
  setUp: async ({ databaseUrl, query }) => {
    await createTables(databaseUrl);
    await query(await readFile(new URL('./provider/tables.sql', import.meta.url), 'utf8'));
  },
  parallel: 2,
};

const explore = async (saga: Saga, own: Pick<CrashScenario, 'begin' | 'invariant'>): Promise<void> => {
  const report = await exploreCrashes(saga, { ...scenario, ...own, server: inject('databaseUrl') });
  expect(report.notReached).toEqual([]);
  expect(report.coverage).toBe(1);
};

it('survives a crash and a failure at every step of every box', { timeout: 600_000 }, () =>
  explore(choreography, {
    begin: beginnings,
    invariant: async (saga) => {
      await comesOutRight(saga);
      await everyMailOnce(saga);
      const [order] = await saga.query('select state from fulfilment.orders');
      expect(order?.['state']).toMatch(/^(packed|stopped)$/);
    },
  }),
);

it('survives them at every step of the workflow, and of what takes it back', { timeout: 600_000 }, () =>
  explore(orchestration, {
    begin: { ...beginnings, 'never picked up': ({ app }: SagaWorld) => place(app, missed) },
    invariant: comesOutRight,
  }),
);
