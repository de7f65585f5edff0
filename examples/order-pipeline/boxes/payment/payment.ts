import { defineHandler, type HandlerContext, PermanentError } from 'factline';
import {
  OrderCancelled,
  OrderPlaced,
  OrderStopped,
  PaymentCaptured,
  PaymentDeclined,
  PaymentRefunded,
} from '../../contracts/index.ts';
import { createProviderClient, type ProviderClient } from './provider-client.ts';

/**
 * Charges what was ordered and gives back what was cancelled. The provider is asked before the transaction, under an
 * idempotency key that is the same on every attempt; the transaction then records what it said.
 */
export function payment({ providerUrl }: { providerUrl: string }) {
  const provider = createProviderClient(providerUrl);
  return defineHandler({
    name: 'payment',
    owner: 'payments',
    on: [OrderPlaced, OrderCancelled, OrderStopped],
    reads: {
      [OrderPlaced.type]: ['orderId', 'totalPence'],
      [OrderCancelled.type]: ['orderId', 'cancellationId', 'pence'],
      [OrderStopped.type]: ['orderId', 'reason'],
    },
    startAt: 'beginning',
    onReplay: 'skip',
    concurrency: 8,
    handle: async (event, context) => {
      const { orderId } = event.data;
      if (OrderPlaced.is(event)) return charge(provider, { orderId, pence: event.data.totalPence }, context);
      if (OrderCancelled.is(event)) {
        const { cancellationId, pence } = event.data;
        return refund(provider, { orderId, cause: cancellationId, pence }, context);
      }
      // A cancellation's own event has given the money back; a declined order was never charged.
      if (event.data.reason !== 'out of stock') return;
      const pence = Number.MAX_SAFE_INTEGER; // whatever is left
      return refund(provider, { orderId, cause: event.data.reason, pence }, context);
    },
  });
}

async function charge(
  provider: ProviderClient,
  { orderId, pence }: { orderId: string; pence: number },
  { effect, transaction }: HandlerContext,
): Promise<void> {
  const { id, status } = await effect('charge', (call) => provider.charge({ orderId, pence }, call));
  if (status === 'refunded') throw new PermanentError('payment-provider: answered a charge with a refund');
  await transaction(async (tx) => {
    await tx.query(
      'insert into payment.payments (order_id, status, pence, charge_id) values ($1, $2, $3, $4)',
      [orderId, status, pence, id],
    );
    if (status === 'captured') tx.publish(PaymentCaptured({ orderId, chargeId: id, pence }));
    else tx.publish(PaymentDeclined({ orderId, reason: 'declined by the payment provider' }));
  });
}

async function refund(
  provider: ProviderClient,
  wanted: { orderId: string; cause: string; pence: number },
  { db, effect, transaction }: HandlerContext,
): Promise<void> {
  const { orderId, cause } = wanted;
  const { rows } = await db.query(
    `select charge_id as "chargeId", (pence - refunded_pence)::float8 as left from payment.payments
     where order_id = $1 and status = 'captured'`,
    [orderId],
  );
  const [paid] = rows as Array<{ chargeId: string; left: number }>;
  const pence = Math.min(wanted.pence, paid?.left ?? 0);
  if (paid === undefined || pence === 0) return;
  const { id } = await effect('refund', (call) =>
    provider.refund({ orderId, chargeId: paid.chargeId, pence }, call),
  );
  await transaction(async (tx) => {
    await tx.query(
      `with noted as (insert into payment.refunds (order_id, cause, pence, refund_id) values ($1, $2, $3, $4))
       update payment.payments set refunded_pence = refunded_pence + $3 where order_id = $1`,
      [orderId, cause, pence, id],
    );
    tx.publish(PaymentRefunded({ orderId, refundId: id, pence }));
  });
}
