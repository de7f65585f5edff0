import { defineEvent, defineUpcaster } from 'factline';
import { z } from 'zod';
import { OrderPlaced } from '../contracts/index.ts';

/*
 * The shop begins to sell in other currencies, so an amount needs one. That breaks every reader of `totalPence`:
 * it is a new event, beside the old one for as long as it takes everybody to follow.
 */

export const OrderPlacedV2 = defineEvent({
  type: 'orders.order.placed.v2',
  owner: 'orders',
  summary: 'A customer has ordered, in the currency of the shop; nothing is paid or reserved yet.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  sensitivity: { customerId: 'personal' },
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    customerId: z.string(),
    country: z.string(),
    currency: z.string().length(3),
    /** In the currency's smallest unit, as all amounts of this event. */
    total: z.int().nonnegative(),
    lines: z
      .array(
        z.object({ product: z.string().min(1), quantity: z.int().positive(), unit: z.int().nonnegative() }),
      )
      .min(1),
  }),
});

/** Until now everything was sold in pounds. */
export const placedInPounds = defineUpcaster(
  OrderPlaced,
  OrderPlacedV2,
  ({ totalPence, lines, ...order }) => ({
    ...order,
    currency: 'GBP',
    total: totalPence,
    lines: lines.map(({ product, quantity, unitPence }) => ({ product, quantity, unit: unitPence })),
  }),
);
