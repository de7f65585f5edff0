import { defineHandler, type HandlerContext } from 'factline';
import { cancelOrder } from '../boxes/fulfilment/decisions.ts';
import { returnUnits, settleReturns } from '../boxes/inventory/movements.ts';
import {
  bookRefund,
  type DueRefund,
  dueRefundsOf,
  forgetDueRefunds,
  noteDueRefund,
  type Refund,
  refundableOf,
} from '../boxes/payment/bookings.ts';
import { createProviderClient, type ProviderClient } from '../boxes/payment/provider-client.ts';
import { OrderCancelled, OrderShipped, OrderStopped } from '../contracts/index.ts';

export interface TakeBackOptions {
  readonly providerUrl: string;
  /** Asks the order's workflow to end and take back what it did; nothing happens when it has ended. */
  readonly cancelWorkflow: (orderId: string) => Promise<void>;
}

/**
 * What customers send back. Until the order's fate is known, a cancellation is noted, and one of the whole order cancels its
 * workflow. An order that was stopped has been taken back by its workflow; for one that was shipped, the cancelled units come
 * back and their price is refunded.
 */
export function takeBack({ providerUrl, cancelWorkflow }: TakeBackOptions) {
  const provider = createProviderClient(providerUrl);
  return defineHandler({
    name: 'take-back',
    owner: 'orders',
    on: [OrderCancelled, OrderShipped, OrderStopped],
    reads: {
      [OrderCancelled.type]: ['orderId', 'cancellationId', 'pence', 'lines', 'whole'],
      [OrderShipped.type]: ['orderId'],
      [OrderStopped.type]: ['orderId'],
    },
    startAt: 'beginning',
    concurrency: 8,
    handle: async (event, context) => {
      const { orderId } = event.data;
      const { db, effect, transaction } = context;
      if (OrderShipped.is(event)) {
        const refunds = await giveBack(provider, context, { orderId, due: await dueRefundsOf(db, orderId) });
        await transaction(async (tx) => {
          for (const refund of refunds) await bookRefund(tx, orderId, refund);
          await forgetDueRefunds(tx, orderId);
          await settleReturns(tx, orderId, 'returned');
        });
        return;
      }
      if (OrderStopped.is(event)) {
        await transaction(async (tx) => {
          await forgetDueRefunds(tx, orderId);
          await settleReturns(tx, orderId, 'void');
        });
        return;
      }
      const { cancellationId: cause, pence, whole } = event.data;
      const fate = await fateOf(db, orderId);
      const open = fate === 'open';
      if (open && whole) await effect('cancel the workflow', () => cancelWorkflow(orderId));
      const due = fate === 'shipped' ? [{ cause, pence }] : [];
      const refunds = await giveBack(provider, context, { orderId, due });
      await transaction(async (tx) => {
        for (const refund of refunds) await bookRefund(tx, orderId, refund);
        if (open) await noteDueRefund(tx, orderId, { cause, pence });
        if (open && whole) await cancelOrder(tx, orderId);
        await returnUnits(tx, event.data);
      });
    },
  });
}

/** Refunds at the provider; no more than is left of the payment. */
async function giveBack(
  provider: ProviderClient,
  { db, effect }: HandlerContext,
  { orderId, due }: { orderId: string; due: readonly DueRefund[] },
): Promise<readonly Refund[]> {
  const paid = due.length === 0 ? null : await refundableOf(db, orderId);
  if (paid === null) return [];
  const { chargeId } = paid;
  const refunds: Refund[] = [];
  let { left } = paid;
  for (const { cause, pence: wanted } of due) {
    const pence = Math.min(wanted, left);
    if (pence === 0) continue;
    left -= pence;
    const { id } = await effect(`refund ${cause}`, (call) =>
      provider.refund({ orderId, chargeId, pence }, call),
    );
    refunds.push({ cause, refundId: id, pence });
  }
  return refunds;
}

/**
 * Whether the order has left the house, or never will. What changes right after this was read is told by an event that comes
 * after this one, so nothing that is noted here is forgotten.
 */
async function fateOf(db: HandlerContext['db'], orderId: string): Promise<'shipped' | 'stopped' | 'open'> {
  const { rows } = await db.query(
    `select case when exists (select from shipping.shipments where order_id = $1) then 'shipped'
       when exists (select from fulfilment.orders where order_id = $1 and state = 'stopped') then 'stopped'
       else 'open' end as fate`,
    [orderId],
  );
  return (rows as Array<{ fate: 'shipped' | 'stopped' | 'open' }>)[0]?.fate ?? 'open';
}
