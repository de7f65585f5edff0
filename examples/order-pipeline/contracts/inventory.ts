import { defineEvent } from 'factline';
import { z } from 'zod';

const units = z.int().nonnegative();

export const StockReserved = defineEvent({
  type: 'inventory.stock.reserved.v1',
  owner: 'inventory',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), units }),
});

/** There is not enough of one of the products, so nothing was reserved. */
export const StockRefused = defineEvent({
  type: 'inventory.stock.refused.v1',
  owner: 'inventory',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), missing: z.array(z.string()).min(1) }),
});

/** The order will not be shipped: what was reserved for it is free again. */
export const StockReleased = defineEvent({
  type: 'inventory.stock.released.v1',
  owner: 'inventory',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), units }),
});

/** Cancelled units that had been shipped are back on the shelf. */
export const StockReturned = defineEvent({
  type: 'inventory.stock.returned.v1',
  owner: 'inventory',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), cancellationId: z.string(), units }),
});
