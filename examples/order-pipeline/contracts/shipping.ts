import { defineEvent } from 'factline';
import { z } from 'zod';

export const OrderShipped = defineEvent({
  type: 'shipping.order.shipped.v1',
  owner: 'shipping',
  summary: 'The parcel has left the house.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'orderId',
  schema: z.object({ orderId: z.string(), trackingNumber: z.string() }),
});

export const PickupRequested = defineEvent({
  type: 'shipping.pickup.requested.v1',
  owner: 'shipping',
  summary: 'A packed parcel stands ready for the carrier.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'trackingNumber',
  schema: z.object({ trackingNumber: z.string(), orderId: z.string(), country: z.string() }),
});

export const PickupWithdrawn = defineEvent({
  type: 'shipping.pickup.withdrawn.v1',
  owner: 'shipping',
  summary: 'The carrier need not come any more, or is to bring back what it has picked up.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'trackingNumber',
  schema: z.object({ trackingNumber: z.string(), orderId: z.string() }),
});
