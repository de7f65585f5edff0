import { defineEvent } from 'factline';
import { z } from 'zod';

const pence = z.int().positive();

export const PaymentCaptured = defineEvent({
  type: 'payments.payment.captured.v1',
  owner: 'payments',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), chargeId: z.string(), pence }),
});

export const PaymentDeclined = defineEvent({
  type: 'payments.payment.declined.v1',
  owner: 'payments',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), reason: z.string() }),
});

export const PaymentRefunded = defineEvent({
  type: 'payments.payment.refunded.v1',
  owner: 'payments',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), refundId: z.string(), pence }),
});
