import { type Duration, defineWorkflow, type Factline, PermanentError } from 'factline';
import { hasCollected } from '../boxes/carrier/carrier.ts';
import { isStopped, packOrder, stopOrder, unpackOrder } from '../boxes/fulfilment/decisions.ts';
import { releaseOrder, reserveOrder, takeOffShelf } from '../boxes/inventory/movements.ts';
import { goodsOf } from '../boxes/inventory/stock.ts';
import { bookPayment } from '../boxes/payment/bookings.ts';
import { createProviderClient, type ProviderCall } from '../boxes/payment/provider-client.ts';
import { undoPayment } from '../boxes/payment/undo-payment.ts';
import { requestPickup, shipOrder, trackingNumberOf, withdrawPickup } from '../boxes/shipping/parcels.ts';
import { OrderPlaced, ParcelCollected, type StopReason } from '../contracts/index.ts';

export interface FulfilmentOptions {
  readonly providerUrl: string;
  /** Runs what an undo writes; the app's own, which is there by the time that anything runs. */
  readonly transaction: Factline['transaction'];
  /** How long the carrier has to come. */
  readonly collectedWithin: Duration;
}

/** A service that is down is waited for: only what nobody will ever accept ends the order. */
const PATIENCE = { attempts: 60, firstDelay: '500ms', maxDelay: '30s' } as const;

/** Without the signal: a call that has begun is waited for, so that its result is on record when it is to be taken back. */
const keyOf = ({ idempotencyKey }: ProviderCall): ProviderCall => ({ idempotencyKey });

/**
 * One order from placed to shipped, told in one place. Whatever ends it early, a reason of the business, a cancellation or
 * an amount that the provider refuses, takes back what was done, the last first.
 */
export function fulfilOrder({ providerUrl, transaction, collectedWithin }: FulfilmentOptions) {
  const provider = createProviderClient(providerUrl);
  const payments = { provider, transaction };
  const known = new Set<string>(); // products whose books are open, so that most orders need not ask
  return defineWorkflow({
    name: 'fulfil-order',
    owner: 'fulfilment',
    on: OrderPlaced,
    waits: [ParcelCollected],
    retry: PATIENCE,
    run: async ({ data: { orderId, country, totalPence: pence, lines } }, { step, waitFor }) => {
      // Why the order is stopped once everything is undone. Null: it was cancelled, or a person has to decide.
      let reason: StopReason | null = null;
      const giveUp = (because: StopReason): never => {
        reason = because;
        throw new PermanentError(because);
      };

      const goods = goodsOf(lines);
      const stock = await step.transaction(
        'reserve stock',
        async (tx) => {
          if (await isStopped(tx, orderId)) return 'not needed';
          const missing = await reserveOrder(tx, orderId, { goods, known });
          return missing.length === 0 ? 'reserved' : 'refused';
        },
        {
          undo: async () => {
            await transaction(async (tx) => {
              if (reason !== null) await stopOrder(tx, orderId, reason);
              await releaseOrder(tx, orderId);
            });
          },
        },
      );
      if (stock === 'not needed') return { outcome: 'cancelled before it began' };
      if (stock === 'refused') giveUp('out of stock');
      for (const { product } of goods) known.add(product);

      // A process that dies during a call leaves nothing on record of it, and the order may be cancelled before anybody makes
      // the call again: a step that is recorded before has an undo that looks what stands at the provider.
      const takenBack = {
        undo: (_: unknown, call: ProviderCall) => undoPayment(payments, orderId, keyOf(call)),
      };
      await step('open the payment', async () => null, takenBack);
      const authorisation = await step(
        'authorise',
        (call) => provider.authorise({ orderId, pence }, keyOf(call)),
        takenBack,
      );
      if (authorisation.status === 'declined') {
        await step.transaction('note the decline', (tx) => bookPayment(tx, orderId, authorisation));
        giveUp('payment declined');
      }
      const end = { orderId, authorisationId: authorisation.id };
      const capture = await step('capture', (call) => provider.capture(end, keyOf(call)), takenBack);

      const packed = await step.transaction(
        'pack',
        async (tx) => {
          await bookPayment(tx, orderId, capture);
          return packOrder(tx, orderId);
        },
        {
          undo: async () => {
            await transaction((tx) => unpackOrder(tx, orderId));
          },
        },
      );
      if (!packed) throw new PermanentError('cancelled');

      await step.transaction('ship', (tx) => requestPickup(tx, { orderId, country }), {
        undo: async () => {
          await transaction((tx) => withdrawPickup(tx, orderId));
        },
      });
      const trackingNumber = trackingNumberOf(orderId);
      const news = await waitFor(ParcelCollected, { key: trackingNumber, within: collectedWithin });
      // The clock does not know whether news is on its way: before everything is undone, the carrier is asked.
      const collected =
        news !== null ||
        (await step.transaction('ask the carrier', (tx) => hasCollected(tx, trackingNumber)));
      if (!collected) giveUp('not collected');

      // The last step: nothing can fail after it, so it needs no undo.
      await step.transaction('hand over', async (tx) => {
        await takeOffShelf(tx, orderId);
        await shipOrder(tx, orderId);
      });
      return { outcome: 'shipped' };
    },
  });
}
