import { defineHandler, type HandlerContext } from 'factline';
import { OrderCancelled, OrderPlaced, OrderStopped } from '../../contracts/index.ts';
import { bookPayment, bookRefund, isBooked, isRefunded, refundableOf } from './bookings.ts';
import { createProviderClient, type ProviderClient } from './provider-client.ts';

/**
 * The choreography's payment: charges what was ordered and gives back what was cancelled. The provider is asked before the
 * transaction, under an idempotency key that is the same on every attempt; the transaction then records what it said. A replay
 * books what is missing, and leaves what is booked.
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
      if (OrderPlaced.is(event)) {
        const request = { orderId, pence: event.data.totalPence };
        const answer = await context.effect('charge', (call) => provider.charge(request, call));
        if (context.replay !== null && (await isBooked(context.db, orderId))) return;
        await context.transaction((tx) => bookPayment(tx, orderId, answer));
        return;
      }
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

async function refund(
  provider: ProviderClient,
  wanted: { orderId: string; cause: string; pence: number },
  { db, effect, transaction, replay }: HandlerContext,
): Promise<void> {
  const { orderId, cause } = wanted;
  if (replay !== null && (await isRefunded(db, orderId, cause))) return;
  const paid = await refundableOf(db, orderId);
  const pence = Math.min(wanted.pence, paid?.left ?? 0);
  if (paid === null || pence === 0) return;
  const { chargeId } = paid;
  const { id } = await effect('refund', (call) => provider.refund({ orderId, chargeId, pence }, call));
  await transaction((tx) => bookRefund(tx, orderId, { cause, refundId: id, pence }));
}
