import { afterEach, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { TransientError } from '../foundation/index.ts';
import { type TestFactline, type TestFactlineOptions, testFactline } from './index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const OrderCharged = defineEvent({
  type: 'shop.order.charged.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

let factline: TestFactline;
const start = async (options: TestFactlineOptions): Promise<TestFactline> => {
  factline = await testFactline({ server: inject('databaseUrl'), ...options });
  return factline;
};
afterEach(() => factline.stop());

const orders = defineProjection({
  name: 'orders',
  on: [OrderPlaced, OrderCharged],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', charged: 'int4' },
  evolve: (row, event) =>
    OrderPlaced.is(event)
      ? { pence: event.data.pence, charged: 0 }
      : row && { ...row, charged: row.charged + 1 },
});

const charging = (charge: (key: string) => Promise<void>) =>
  defineHandler({
    name: 'charge',
    on: OrderPlaced,
    handle: async (event, { effect, transaction }) => {
      await effect('charge', async ({ idempotencyKey }) => {
        await charge(idempotencyKey);
        return 'charged';
      });
      await transaction(async (tx) => tx.publish(OrderCharged({ orderId: event.data.orderId })));
    },
  });

describe('testFactline', () => {
  it('settles when events and the events that they caused are handled', async () => {
    const calls: string[] = [];
    await start({ consumers: [orders, charging(async (key) => void calls.push(key))] });
    await factline.publish(
      OrderPlaced({ orderId: 'A1', pence: 4200 }),
      OrderPlaced({ orderId: 'A2', pence: 1 }),
    );
    await factline.settled();
    expect(await factline.app.read(orders, { orderId: 'A1' })).toEqual({
      orderId: 'A1',
      pence: 4200,
      charged: 1,
    });
    expect(calls).toHaveLength(2);
    expect(new Set(calls).size).toBe(2);
  });

  it('redelivers without doing anything twice', async () => {
    const handler = charging(async () => {});
    await start({ consumers: [orders, handler] });
    const published = await factline.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }));
    await factline.redeliver(published, { times: 2 });
    expect(await factline.effects(handler)).toHaveLength(1);
    expect(await factline.app.read(orders, { orderId: 'A1' })).toMatchObject({ charged: 1 });
  });

  it('advances the clock, so that a retry that is due later happens now', async () => {
    let attempts = 0;
    const handler = charging(async () => {
      attempts += 1;
      if (attempts === 1) throw new TransientError('busy', { retryAfter: '1h' });
    });
    await start({ consumers: [handler] });
    await factline.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }));
    await factline.settled();
    expect(attempts).toBe(1);
    await factline.advance('2h');
    await factline.settled();
    expect(attempts).toBe(2);
    expect(await factline.effects(handler)).toEqual([
      expect.objectContaining({ name: 'charge', state: 'done', result: 'charged' }),
    ]);
  });

  it('plays the producers of events; what the app publishes itself is held to them', async () => {
    const Imported = defineEvent({
      type: 'shop.order.imported.v1',
      key: 'orderId',
      schema: z.object({ orderId: z.string() }),
      producers: ['import'],
    });
    const sources: string[] = [];
    const watch = defineHandler({
      name: 'watch',
      on: Imported,
      handle: async ({ source }) => void sources.push(source),
    });
    await start({ consumers: [watch] });
    await factline.publish(Imported({ orderId: 'A1' }));
    await factline.settled();
    expect(sources).toEqual(['import']);
    await expect(factline.app.publish(Imported({ orderId: 'A2' }))).rejects.toMatchObject({
      code: 'PRODUCER_NOT_LISTED',
    });
  });

  it('fails when a consumer has read a field that it does not declare, though the event only waits in quarantine', async () => {
    const greedy = defineHandler({
      name: 'greedy',
      on: OrderPlaced,
      reads: ['orderId'],
      handle: async ({ data }) => void data.pence,
    });
    await start({ consumers: { greedy, orders } });
    await factline.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }));
    await expect(factline.settled()).rejects.toMatchObject({
      code: 'READ_UNDECLARED',
      details: { consumer: 'greedy', field: 'pence' },
    });
  });

  it('dies at a step, and the next life finishes the work once', async () => {
    const calls: string[] = [];
    const handler = charging(async (key) => void calls.push(key));
    await start({ consumers: [orders, handler] });
    const crashed = factline.crashAt('operational.before-commit');
    const publishing = factline.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }));
    await publishing;
    await crashed;
    await factline.settled();
    expect(await factline.app.read(orders, { orderId: 'A1' })).toMatchObject({ charged: 1 });
    expect(new Set(calls).size).toBe(1);
  });
});
