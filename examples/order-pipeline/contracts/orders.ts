import { defineEvent } from 'factline';
import { z } from 'zod';

const line = z.object({
  /** The product: a stock code in upper case (the feed writes `85123a` and `85123A` for the same thing). */
  product: z.string().min(1),
  quantity: z.int().positive(),
  unitPence: z.int().nonnegative(),
});

export type OrderLine = z.infer<typeof line>;

export const OrderPlaced = defineEvent({
  type: 'orders.order.placed.v1',
  owner: 'orders',
  summary: 'A customer has ordered; nothing is paid or reserved yet.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  sensitivity: { customerId: 'personal' },
  editable: ['totalPence'], // a total that was typed wrong; nobody has paid it yet
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    customerId: z.string(),
    country: z.string(),
    totalPence: z.int().nonnegative(),
    lines: z.array(line).min(1),
  }),
});

/** One event per order that is touched. */
export const OrderCancelled = defineEvent({
  type: 'orders.order.cancelled.v1',
  owner: 'orders',
  summary: 'All of an order was cancelled, or some units of some of its lines.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  sensitivity: { customerId: 'personal' },
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    cancellationId: z.string(),
    customerId: z.string(),
    country: z.string(),
    /** What was paid for the cancelled units, so at the order's prices. */
    pence: z.int().nonnegative(),
    lines: z.array(line).min(1),
    /** Nothing of the order is left open: it need not be packed if it has not been yet. */
    whole: z.boolean(),
  }),
});

/** A business rejection, on record. */
export const CancellationRejected = defineEvent({
  type: 'orders.cancellation.rejected.v1',
  owner: 'orders',
  summary: 'A request to cancel matched no order.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  sensitivity: { customerId: 'personal' },
  key: 'cancellationId',
  schema: z.object({ cancellationId: z.string(), customerId: z.string(), reason: z.string() }),
});
