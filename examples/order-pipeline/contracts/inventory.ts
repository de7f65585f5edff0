import { defineEvent } from 'factline';
import { z } from 'zod';

const units = z.int().nonnegative();

export const StockReserved = defineEvent({
  type: 'inventory.stock.reserved.v1',
  owner: 'inventory',
  summary: 'Everything that was ordered is set aside.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), units }),
});

export const StockRefused = defineEvent({
  type: 'inventory.stock.refused.v1',
  owner: 'inventory',
  summary: 'There is not enough of one of the products, so nothing was reserved.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), missing: z.array(z.string()).min(1) }),
});

export const StockReleased = defineEvent({
  type: 'inventory.stock.released.v1',
  owner: 'inventory',
  summary: 'The order will not be shipped: what was reserved for it is free again.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), units }),
});

export const StockReturned = defineEvent({
  type: 'inventory.stock.returned.v1',
  owner: 'inventory',
  summary: 'Cancelled units that had been shipped are back on the shelf.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), cancellationId: z.string(), units }),
});
