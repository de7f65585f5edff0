import { type TestFactline, testFactline } from 'factline/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { OrderCancelled, OrderPlaced } from '../contracts/index.ts';
import { createTables } from '../database.ts';
import { createMailer, type Mailer } from '../mail/mailer.ts';
import { type SmtpSink, startSmtpSink } from '../mail/smtp-sink.ts';
import { type ProviderProcess, startProvider } from '../provider/start-provider.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { fulfilment } from './fulfilment/fulfilment.ts';
import { inventory } from './inventory/inventory.ts';
import { customerNotification } from './notification/customer-notification.ts';
import { payment } from './payment/payment.ts';
import { shipping } from './shipping/shipping.ts';

// The choreography, box by box on a real database: what becomes of one order when something goes wrong.

vi.setConfig({ testTimeout: 60_000 }); // a database, an app and five consumers each

let ledger: TestDatabase;
let provider: ProviderProcess;
let sink: SmtpSink;
let mailer: Mailer;
let factline: TestFactline;
let pool: pg.Pool;
const payments = (): ReturnType<typeof payment> => payment({ providerUrl: provider.url });

beforeAll(async () => {
  ledger = await createTestDatabase('ledger');
  provider = await startProvider(ledger.url);
});
afterAll(async () => {
  await provider?.stop();
  await ledger?.drop();
});
beforeEach(async () => {
  await behave({ declinePercent: 0, outage: false });
  sink = await startSmtpSink();
  mailer = createMailer(`smtp://127.0.0.1:${sink.port}`);
  const consumers = [inventory(), payments(), fulfilment(), shipping(), customerNotification({ mailer })];
  factline = await testFactline({ name: 'order-pipeline', server: inject('databaseUrl'), consumers });
  await createTables(factline.databaseUrl);
  pool = new pg.Pool({ connectionString: factline.databaseUrl, max: 1 });
});
afterEach(async () => {
  await pool?.end();
  await factline?.stop();
  mailer?.stop();
  await sink?.stop();
});

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
const cancelled = (): ReturnType<typeof OrderCancelled> =>
  OrderCancelled({
    orderId: '1',
    cancellationId: 'C2',
    customerId: '17850',
    country: 'EIRE',
    pence: 1530,
    lines: LINES,
    whole: true,
  });

async function behave(behaviour: object): Promise<void> {
  await fetch(`${provider.url}/admin/behaviour`, { method: 'PUT', body: JSON.stringify(behaviour) });
}

/** Where the order stands, over all boxes. */
async function standing(): Promise<object> {
  const { rows } = await pool.query(`
    select f.state, f.reason, r.state as stock, s.order_id is not null as shipped, p.status as payment,
      p.refunded_pence::int as refunded, t.on_hand::int as "onHand", t.reserved::int as reserved
    from fulfilment.orders f
      left join inventory.reservations r using (order_id)
      left join shipping.shipments s using (order_id)
      left join payment.payments p using (order_id)
      left join inventory.stock t on t.product = '85123A'`);
  return rows[0] ?? {};
}

describe('an order', () => {
  it('that is paid and reserved is packed and shipped, once, however often its event is delivered', async () => {
    const event = await factline.publish(placed());
    await factline.settled();
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
    expect([...sink.received.values()]).toEqual([1]);
    const { rows } = await pool.query(
      "select count(*)::int as n from factline.events where type = 'payments.payment.captured.v1'",
    );
    expect(rows[0].n).toBe(1);
  });

  it('that is declined is stopped, and its stock is free again', async () => {
    await behave({ declinePercent: 100 });
    await factline.publish(placed());
    await factline.settled();
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'payment declined',
      stock: 'released',
      reserved: 0,
    });
    expect(sink.received.size).toBe(2);
  });

  it('of more than there is on the shelf is stopped, and what was paid is given back', async () => {
    await factline.publish(placed({ lines: [{ ...LINES[0], quantity: 1_000_001 }] }));
    await factline.settled();
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'out of stock',
      stock: 'refused',
      refunded: 1530,
      onHand: 1_000_000,
    });
  });

  it('of nothing but charges needs no stock', async () => {
    await factline.publish(placed({ lines: [{ product: 'POST', quantity: 1, unitPence: 1530 }] }));
    await factline.settled();
    expect(await standing()).toMatchObject({ shipped: true, onHand: null });
  });
});

describe('a cancellation', () => {
  it('of a shipped order brings back the units and the money', async () => {
    await factline.publish(placed());
    await factline.settled();
    await factline.publish(cancelled());
    await factline.settled();
    expect(await standing()).toMatchObject({ shipped: true, refunded: 1530, onHand: 1_000_000, reserved: 0 });
  });

  it('of an order that is not packed yet stops it, and the money is given back as soon as it was taken', async () => {
    await behave({ outage: true });
    await factline.publish(placed(), cancelled());
    await factline.settled();
    expect(await standing()).toMatchObject({
      state: 'stopped',
      reason: 'cancelled',
      stock: 'released',
      payment: null,
    });
    await behave({ outage: false });
    await factline.advance('1h');
    await factline.settled();
    expect(await standing()).toMatchObject({
      shipped: false,
      payment: 'captured',
      refunded: 1530,
      onHand: 1_000_000,
    });
  });
});

describe('the payment', () => {
  it('of nothing is refused for ever: the key stands in quarantine, and the others flow', async () => {
    await factline.publish(placed({ orderId: '7', totalPence: 0 }), placed());
    await factline.settled();
    const verdicts = await factline.app.status();
    expect(verdicts.find(({ consumer }) => consumer === 'payment')?.quarantined?.keys).toBe(1);
    const { rows } = await pool.query('select order_id from shipping.shipments');
    expect(rows).toEqual([{ order_id: '1' }]);
  });

  it('is charged once, and one mail is sent, when the process dies between the call and its record', async () => {
    const crashed = factline.crashAt('operational.before-effect-done');
    await factline.publish(placed({ orderId: '9' }));
    await crashed;
    await factline.settled();
    const client = new pg.Client({ connectionString: ledger.url });
    await client.connect();
    const { rows } = await client
      .query("select kind from payment_provider.ledger where order_id = '9'")
      .finally(() => client.end());
    expect(rows).toEqual([{ kind: 'charge' }]);
    expect(sink.received.size).toBe(1);
    expect(await standing()).toMatchObject({ shipped: true });
  });
});
