import { defineEvent } from 'factline';
import { z } from 'zod';

export const stopReasons = ['cancelled', 'payment declined', 'out of stock', 'not collected'] as const;
export type StopReason = (typeof stopReasons)[number];

export const OrderPacked = defineEvent({
  type: 'fulfilment.order.packed.v1',
  owner: 'fulfilment',
  summary: 'Paid and reserved, so it was packed.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

export const OrderStopped = defineEvent({
  type: 'fulfilment.order.stopped.v1',
  owner: 'fulfilment',
  summary: 'The order will never be packed.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), reason: z.enum(stopReasons) }),
});
