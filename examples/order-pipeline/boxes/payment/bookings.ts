import { PermanentError, type Tx } from 'factline';
import { PaymentCaptured, PaymentDeclined, PaymentRefunded } from '../../contracts/index.ts';
import type { ProviderAnswer } from './provider-client.ts';

// What payment writes down of what the provider said, whoever asked it.

/** Books a charge or a capture, or that it was declined. */
export async function bookPayment(
  tx: Tx,
  orderId: string,
  { id, status, pence }: ProviderAnswer,
): Promise<void> {
  if (status !== 'captured' && status !== 'declined')
    throw new PermanentError(`payment-provider: ${status} is no payment`);
  await tx.query(
    'insert into payment.payments (order_id, status, pence, charge_id) values ($1, $2, $3, $4)',
    [orderId, status, pence, id],
  );
  if (status === 'captured') tx.publish(PaymentCaptured({ orderId, chargeId: id, pence }));
  else tx.publish(PaymentDeclined({ orderId, reason: 'declined by the payment provider' }));
}

export async function isBooked(db: Pick<Tx, 'query'>, orderId: string): Promise<boolean> {
  return (await db.query('select from payment.payments where order_id = $1', [orderId])).rowCount === 1;
}

export async function isRefunded(db: Pick<Tx, 'query'>, orderId: string, cause: string): Promise<boolean> {
  const refunds = 'select from payment.refunds where order_id = $1 and cause = $2';
  return (await db.query(refunds, [orderId, cause])).rowCount === 1;
}

/** What of an order's payment can still be given back; null when nothing was captured. */
export async function refundableOf(
  db: Pick<Tx, 'query'>,
  orderId: string,
): Promise<{ chargeId: string; left: number } | null> {
  const { rows } = await db.query(
    `select charge_id as "chargeId", (pence - refunded_pence)::float8 as left from payment.payments
     where order_id = $1 and status = 'captured'`,
    [orderId],
  );
  return (rows as Array<{ chargeId: string; left: number }>)[0] ?? null;
}

export interface Refund {
  /** The cancellation's number, or why the order was stopped. */
  readonly cause: string;
  readonly refundId: string;
  readonly pence: number;
}

export async function bookRefund(tx: Tx, orderId: string, { cause, refundId, pence }: Refund): Promise<void> {
  await tx.query(
    `with noted as (insert into payment.refunds (order_id, cause, pence, refund_id) values ($1, $2, $3, $4))
     update payment.payments set refunded_pence = refunded_pence + $3 where order_id = $1`,
    [orderId, cause, pence, refundId],
  );
  tx.publish(PaymentRefunded({ orderId, refundId, pence }));
}

/** A refund that has to wait until the order's fate is known. */
export interface DueRefund {
  readonly cause: string;
  readonly pence: number;
}

export async function noteDueRefund(tx: Tx, orderId: string, { cause, pence }: DueRefund): Promise<void> {
  if (pence === 0) return;
  await tx.query('insert into payment.refunds_due (order_id, cause, pence) values ($1, $2, $3)', [
    orderId,
    cause,
    pence,
  ]);
}

export async function dueRefundsOf(db: Pick<Tx, 'query'>, orderId: string): Promise<readonly DueRefund[]> {
  const { rows } = await db.query(
    'select cause, pence::float8 as pence from payment.refunds_due where order_id = $1 order by cause',
    [orderId],
  );
  return rows as DueRefund[];
}

export async function forgetDueRefunds(tx: Tx, orderId: string): Promise<void> {
  await tx.query('delete from payment.refunds_due where order_id = $1', [orderId]);
}
