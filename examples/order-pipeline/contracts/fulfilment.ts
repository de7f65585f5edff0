import { defineEvent } from 'factline';
import { z } from 'zod';

export const stopReasons = ['cancelled', 'payment declined', 'out of stock'] as const;
export type StopReason = (typeof stopReasons)[number];

/** Paid and reserved, so it was packed. */
export const OrderPacked = defineEvent({
  type: 'fulfilment.order.packed.v1',
  owner: 'fulfilment',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

/** The order will never be packed. */
export const OrderStopped = defineEvent({
  type: 'fulfilment.order.stopped.v1',
  owner: 'fulfilment',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), reason: z.enum(stopReasons) }),
});
