import { defineHandler, type Factline } from 'factline';
import { type TestFactline, testFactline } from 'factline/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { carrier } from '../boxes/carrier/carrier.ts';
import { OrderCancelled, OrderPlaced, ParcelCollected, PickupRequested } from '../contracts/index.ts';
import { createTables } from '../database.ts';
import { type ProviderProcess, startProvider } from '../provider/start-provider.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { cancelFulfilment } from './cancel-fulfilment.ts';
import { fulfilOrder } from './fulfil-order.ts';
import { takeBack } from './take-back.ts';

// One workflow an order, on a real database: what becomes of the order when something goes wrong.

vi.setConfig({ testTimeout: 60_000 }); // a database, an app, a workflow and two consumers each

let ledger: TestDatabase;
let provider: ProviderProcess;
let factline: TestFactline;
let pool: pg.Pool;
let books: pg.Pool;

beforeAll(async () => {
  ledger = await createTestDatabase('orchestrated_ledger');
  provider = await startProvider(ledger.url);
  books = new pg.Pool({ connectionString: ledger.url, max: 1 });
});
afterAll(async () => {
  await books?.end();
  await provider?.stop();
  await ledger?.drop();
});
beforeEach(async () => {
  await behave({ latencyMs: [0, 0], declinePercent: 0, outage: false });
  await books.query('truncate payment_provider.ledger');
});
afterEach(async () => {
  await pool?.end();
  await factline?.stop();
});

const app = (): Factline => factline.app;

async function start({ missesPercent = 0, van = true } = {}): Promise<void> {
  const providerUrl = provider.url;
  const workflow = fulfilOrder({
    providerUrl,
    collectedWithin: '2m',
    transaction: (...work) => app().transaction(...work),
  });
  const cancelWorkflow = (orderId: string) => cancelFulfilment(app(), workflow, orderId);
  // Without a van a request is only seen, and nobody says a word.
  const silent = defineHandler({ name: 'carrier', on: PickupRequested, handle: async () => {} });
  factline = await testFactline({
    name: 'order-pipeline',
    server: inject('databaseUrl'),
    consumers: [
      workflow,
      takeBack({ providerUrl, cancelWorkflow }),
      van ? carrier({ latencyMs: [0, 0], missesPercent }) : silent,
    ],
  });
  await createTables(factline.databaseUrl);
  pool = new pg.Pool({ connectionString: factline.databaseUrl, max: 1 });
}

const LINES = [{ product: '85123A', quantity: 6, unitPence: 255 }];
const placed = (change: object = {}): ReturnType<typeof OrderPlaced> =>
  OrderPlaced({
    orderId: '1',
    customerId: '17850',
    country: 'EIRE',
    totalPence: 1530,
    lines: LINES,
    ...change,
  });
const cancelled = (change: object = {}): ReturnType<typeof OrderCancelled> =>
  OrderCancelled({
    orderId: '1',
    cancellationId: 'C2',
    customerId: '17850',
    country: 'EIRE',
    pence: 1530,
    lines: LINES,
    whole: true,
    ...change,
  });

async function behave(behaviour: object): Promise<void> {
  await fetch(`${provider.url}/admin/behaviour`, { method: 'PUT', body: JSON.stringify(behaviour) });
}

async function instance(): Promise<{ state: string; failure: string | null; step: string | null }> {
  const { rows } = await pool.query(`
    select i.state, i.failure ->> 'message' as failure,
      (select j.name from factline.workflow_journal j where j.instance_id = i.id order by j.ordinal desc limit 1) as step
    from factline.workflow_instances i`);
  return rows[0] ?? { state: 'none', failure: null, step: null };
}

const becomes = (state: string): Promise<void> =>
  vi.waitFor(async () => expect((await instance()).state).toBe(state), { timeout: 20_000, interval: 20 });

const reaches = (name: string): Promise<void> =>
  vi.waitFor(async () => expect((await instance()).step).toContain(name), { timeout: 20_000, interval: 20 });

/** What the provider booked, in this order. */
async function booked(): Promise<string[]> {
  const { rows } = await books.query(
    'select kind, pence::int as pence from payment_provider.ledger order by entry',
  );
  return rows.map(({ kind, pence }) => `${kind} ${pence}`);
}

/** Where the order stands, over all boxes. */
async function standing(): Promise<object> {
  await factline.settled();
  const { rows } = await pool.query(`
    select f.state, f.reason, r.state as stock, s.order_id is not null as shipped, p.status as payment,
      p.refunded_pence::int as refunded, t.on_hand::int as "onHand", t.reserved::int as reserved
    from (select '1' as order_id) o
      left join fulfilment.orders f using (order_id)
      left join inventory.reservations r using (order_id)
      left join shipping.shipments s using (order_id)
      left join payment.payments p using (order_id)
      left join inventory.stock t on t.product = '85123A'`);
  return rows[0] ?? {};
}

const published = async (): Promise<string[]> => {
  const { rows } = await pool.query(`select type from factline.events order by position`);
  return rows.map(({ type }) => String(type));
};

describe('an order', () => {
  it('is reserved, authorised, captured, packed, collected and shipped, once, however often it is delivered', async () => {
    await start();
    const event = await factline.publish(placed());
    await becomes('completed');
    await factline.redeliver(event, { times: 2 });
    expect(await standing()).toEqual({
      state: 'packed',
      reason: null,
      stock: 'shipped',
      shipped: true,
      payment: 'captured',
      refunded: 0,
      onHand: 999_994,
      reserved: 0,
    });
    expect(await booked()).toEqual(['authorisation 1530', 'capture 1530']);
    expect(await published()).toEqual([
      'orders.order.placed.v1',
      'inventory.stock.reserved.v1',
      'payments.payment.captured.v1',
      'fulfilment.order.packed.v1',
      'shipping.pickup.requested.v1',
      'carrier.parcel.collected.v1',
      'shipping.order.shipped.v1',
    ]);
  });

  it('that is declined is stopped, and its stock is free again', async () => {
    await behave({ declinePercent: 100 });
    await start();
    await factline.publish(placed());
    await becomes('failed');
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'payment declined',
      stock: 'released',
      payment: 'declined',
      reserved: 0,
    });
    expect(await booked()).toEqual(['authorisation 1530']);
  });

  it('of more than there is on the shelf is stopped before anybody is asked for money', async () => {
    await start();
    await factline.publish(placed({ lines: [{ ...LINES[0], quantity: 1_000_001 }] }));
    await becomes('failed');
    expect(await standing()).toMatchObject({ state: 'stopped', reason: 'out of stock', payment: null });
    expect(await booked()).toEqual([]);
  });

  it('of nothing fails, is left to a person, and keeps no stock from others', async () => {
    await start();
    await factline.publish(placed({ totalPence: 0 }));
    await becomes('failed');
    expect((await instance()).failure).toBe('payment-provider: amount is zero');
    expect(await standing()).toMatchObject({ state: null, stock: 'released', payment: null, reserved: 0 });
  });

  it('waits for a provider that is down', async () => {
    await behave({ outage: true });
    await start();
    await factline.publish(placed());
    await reaches('authorise');
    await behave({ outage: false });
    await factline.advance('1h');
    await becomes('completed');
    expect(await booked()).toEqual(['authorisation 1530', 'capture 1530']);
  });

  it('that the carrier does not collect in time is undone, the last step first', async () => {
    await start({ missesPercent: 100 });
    await factline.publish(placed());
    await becomes('waiting');
    await factline.settled();
    await factline.advance('1m');
    expect((await instance()).state).toBe('waiting');
    await factline.advance('61s');
    await becomes('failed');
    expect(await standing()).toEqual({
      state: 'stopped',
      reason: 'not collected',
      stock: 'released',
      shipped: false,
      payment: 'captured',
      refunded: 1530,
      onHand: 1_000_000,
      reserved: 0,
    });
    expect(await booked()).toEqual(['authorisation 1530', 'capture 1530', 'refund 1530']);
    expect((await published()).slice(5)).toEqual([
      'shipping.pickup.withdrawn.v1',
      'payments.payment.refunded.v1',
      'fulfilment.order.stopped.v1',
      'inventory.stock.released.v1',
    ]);
  });

  it('whose parcel is gone when the time is up, though no news of it has come, is shipped', async () => {
    await start({ van: false });
    await factline.publish(placed());
    await becomes('waiting');
    await pool.query("insert into carrier.parcels values ('GB-1', '1', 'collected')");
    await factline.advance('121s');
    await becomes('completed');
    expect(await standing()).toMatchObject({ shipped: true, stock: 'shipped', refunded: 0 });
  });
});

describe('a cancellation', () => {
  it('of a shipped order brings back the units and the money', async () => {
    await start();
    await factline.publish(placed());
    await becomes('completed');
    await factline.publish(cancelled());
    expect(await standing()).toMatchObject({ shipped: true, refunded: 1530, onHand: 1_000_000, reserved: 0 });
    expect((await instance()).state).toBe('completed');
  });

  it('of an order that waits for the carrier undoes it', async () => {
    await start({ van: false });
    await factline.publish(placed());
    await becomes('waiting');
    await factline.publish(cancelled());
    await becomes('cancelled');
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'cancelled',
      stock: 'released',
      shipped: false,
      refunded: 1530,
      onHand: 1_000_000,
    });
    expect(await booked()).toEqual(['authorisation 1530', 'capture 1530', 'refund 1530']);
  });

  it('of a part waits for the order, and is given back when it has been shipped', async () => {
    await start({ van: false });
    await factline.publish(placed());
    await becomes('waiting');
    await factline.publish(cancelled({ pence: 255, whole: false, lines: [{ ...LINES[0], quantity: 1 }] }));
    expect(await standing()).toMatchObject({ state: 'packed', refunded: 0, reserved: 6 });
    await factline.publish(ParcelCollected({ trackingNumber: 'GB-1', orderId: '1' }));
    await becomes('completed');
    expect(await standing()).toMatchObject({ shipped: true, refunded: 255, onHand: 999_995, reserved: 0 });
  });

  it('that comes before the provider has answered lets the authorisation go', async () => {
    await behave({ outage: true });
    await start();
    await factline.publish(placed());
    await reaches('authorise');
    await factline.publish(cancelled());
    await factline.settled();
    await behave({ outage: false });
    await factline.advance('1h');
    await becomes('cancelled');
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'cancelled',
      stock: 'released',
      payment: null,
    });
    expect(await booked()).not.toContain('capture 1530');
  });

  it('of an order of nothing ends what a person was to decide', async () => {
    await start();
    await factline.publish(placed({ totalPence: 0 }));
    await becomes('failed');
    await factline.publish(cancelled({ pence: 0 }));
    expect(await standing()).toMatchObject({ state: 'stopped', reason: 'cancelled', reserved: 0 });
  });
});
