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
