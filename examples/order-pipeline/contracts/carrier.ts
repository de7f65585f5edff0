import { defineEvent } from 'factline';
import { z } from 'zod';

export const ParcelCollected = defineEvent({
  type: 'carrier.parcel.collected.v1',
  owner: 'carrier',
  summary: 'The carrier has picked the parcel up.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  key: 'trackingNumber',
  schema: z.object({ trackingNumber: z.string(), orderId: z.string() }),
});
