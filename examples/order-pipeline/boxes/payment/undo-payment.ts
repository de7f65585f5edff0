import type { Factline } from 'factline';
import { bookPayment, bookRefund, refundableOf } from './bookings.ts';
import type { ProviderCall, ProviderClient } from './provider-client.ts';

export interface UndoneAt {
  readonly provider: ProviderClient;
  readonly transaction: Factline['transaction'];
}

/**
 * Takes back whatever stands at the provider under an order, also what nobody got an answer about: an authorisation is
 * voided, a capture is refunded and both are booked. A repeat changes nothing.
 */
export async function undoPayment(
  { provider, transaction }: UndoneAt,
  orderId: string,
  call: ProviderCall,
): Promise<void> {
  const standing = await provider.standing(orderId);
  if (standing === null || standing.status === 'voided') return;
  const { authorisationId, chargeId, pence } = standing;
  if (chargeId === null) {
    await provider.void({ orderId, authorisationId }, call);
    return;
  }
  const { value: paid } = await transaction((tx) => refundableOf(tx, orderId));
  if (paid?.left === 0) return;
  const { id } = await provider.refund({ orderId, chargeId, pence }, call);
  await transaction(async (tx) => {
    if (paid === null) await bookPayment(tx, orderId, { id: chargeId, status: 'captured', pence });
    await bookRefund(tx, orderId, { cause: 'undone', refundId: id, pence });
  });
}
