import { describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { defineHandler } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { exploreCrashes, type Outside, type Saga } from '../index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), chargeId: z.string() }),
});

const chargeCard = (outside: Outside) =>
  defineHandler({
    name: 'charge-card',
    on: OrderPlaced,
    handle: async (event, { effect, transaction }) => {
      const { orderId, pence } = event.data;
      const charge = await effect('charge', ({ idempotencyKey }) =>
        outside.call('charge', { idempotencyKey, orderId, pence }, { id: `ch-${orderId}` }),
      );
      await transaction(async (tx) => tx.publish(OrderPaid({ orderId, chargeId: charge.id })));
    },
  });
const ship = defineHandler({
  name: 'ship',
  on: OrderPaid,
  handle: async ({ data }, { transaction }) =>
    transaction(async (tx) => void (await tx.query('insert into shipments values ($1)', [data.orderId]))),
});

const server = () => inject('databaseUrl');
const shop: Saga = (outside) => [chargeCard(outside), ship];

describe('exploreCrashes', () => {
  it('tries a crash and a failure at every point of a saga of handlers', { timeout: 120_000 }, async () => {
    const report = await exploreCrashes(shop, {
      server: server(),
      setUp: ({ query }) => query('create table shipments (order_id text primary key)'),
      begin: ({ publish }) => publish(OrderPlaced({ orderId: 'A1', pence: 4200 })),
      invariant: async ({ query, outside }) => {
        expect(await query('select * from shipments')).toEqual([{ order_id: 'A1' }]);
        expect(outside.effects('charge')).toHaveLength(1);
      },
    });
    expect(report.notReached).toEqual([]);
    expect(report.coverage).toBe(1);
  });
});
