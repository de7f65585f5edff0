import { defineEvent } from 'factline';
import { z } from 'zod';

const pence = z.int().positive();

export const PaymentCaptured = defineEvent({
  type: 'payments.payment.captured.v1',
  owner: 'payments',
  summary: 'The order is paid.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  highImpact: true,
  key: 'orderId',
  schema: z.object({ orderId: z.string(), chargeId: z.string(), pence }),
});

export const PaymentDeclined = defineEvent({
  type: 'payments.payment.declined.v1',
  owner: 'payments',
  summary: 'The payment provider declined the charge; the order will be stopped.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  highImpact: true,
  key: 'orderId',
  schema: z.object({ orderId: z.string(), reason: z.string() }),
});

export const PaymentRefunded = defineEvent({
  type: 'payments.payment.refunded.v1',
  owner: 'payments',
  summary: 'Money was given back for what was cancelled or cannot be delivered.',
  sla: { handledWithin: '1m' },
  producers: ['order-pipeline'],
  highImpact: true,
  key: 'orderId',
  schema: z.object({ orderId: z.string(), refundId: z.string(), pence }),
});
