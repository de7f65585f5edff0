import {
  type DataOf,
  type Duration,
  defineWorkflow,
  type Factline,
  PermanentError,
  type Tx,
  type WorkflowContext,
} from 'factline';
import { hasCollected } from '../boxes/carrier/carrier.ts';
import { isStopped, packOrder, stopOrder, unpackOrder } from '../boxes/fulfilment/decisions.ts';
import {
  type KnownProducts,
  releaseOrder,
  reserveOrder,
  takeOffShelf,
} from '../boxes/inventory/movements.ts';
import { goodsOf } from '../boxes/inventory/stock.ts';
import { bookPayment } from '../boxes/payment/bookings.ts';
import {
  createProviderClient,
  type ProviderAnswer,
  type ProviderCall,
  type ProviderClient,
} from '../boxes/payment/provider-client.ts';
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

/**
 * One order from placed to shipped, told in one place. Whatever ends it early, a reason of the business, a cancellation or
 * an amount that the provider refuses, takes back what was done, the last first.
 */
export function fulfilOrder(options: FulfilmentOptions) {
  const provider = createProviderClient(options.providerUrl);
  const known = new Set<string>(); // products whose books are open, so that most orders need not ask
  return defineWorkflow({
    name: 'fulfil-order',
    owner: 'fulfilment',
    on: OrderPlaced,
    waits: [ParcelCollected],
    retry: PATIENCE,
    concurrency: 16, // at work, not waiting for the carrier; each needs a connection now and then
    run: ({ data }, context) => fulfil({ ...options, provider, known }, data, context),
  });
}

type Order = DataOf<typeof OrderPlaced>;
type Context = WorkflowContext<typeof ParcelCollected>;

interface Surroundings extends FulfilmentOptions {
  readonly provider: ProviderClient;
  readonly known: KnownProducts;
}

async function fulfil(surroundings: Surroundings, order: Order, context: Context) {
  const { step } = context;
  const { orderId, country, lines } = order;
  const { known, transaction } = surroundings;
  const undoing = (work: (tx: Tx) => Promise<void>) => ({
    undo: async () => {
      await transaction(work);
    },
  });
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
    undoing(async (tx) => {
      if (reason !== null) await stopOrder(tx, orderId, reason);
      await releaseOrder(tx, orderId);
    }),
  );
  if (stock === 'not needed') return { outcome: 'cancelled before it began' };
  if (stock === 'refused') giveUp('out of stock');
  for (const { product } of goods) known.add(product);

  const payment = await takePayment(surroundings, order, context);
  if (payment.status === 'declined') giveUp('payment declined');

  const packed = await step.transaction(
    'pack',
    async (tx) => {
      await bookPayment(tx, orderId, payment);
      return packOrder(tx, orderId);
    },
    undoing((tx) => unpackOrder(tx, orderId)),
  );
  if (!packed) throw new PermanentError('cancelled');

  await step.transaction(
    'ship',
    (tx) => requestPickup(tx, { orderId, country }),
    undoing((tx) => withdrawPickup(tx, orderId)),
  );
  if (!(await isCollected(surroundings, order, context))) giveUp('not collected');

  // The last step: nothing can fail after it, so it needs no undo.
  await step.transaction('hand over', async (tx) => {
    await takeOffShelf(tx, orderId);
    await shipOrder(tx, orderId);
  });
  return { outcome: 'shipped' };
}

/** Without the signal: a call that has begun is waited for, so that its result is on record when it is to be taken back. */
const keyOf = ({ idempotencyKey }: ProviderCall): ProviderCall => ({ idempotencyKey });

/** Sets the money aside and takes it. */
async function takePayment(
  { provider, transaction }: Surroundings,
  { orderId, totalPence: pence }: Order,
  { step }: Context,
): Promise<ProviderAnswer> {
  const undone = {
    undo: (_: unknown, call: ProviderCall) => undoPayment({ provider, transaction }, orderId, keyOf(call)),
  };
  // A process that dies during a call leaves nothing on record of it, and the order may be cancelled before anybody makes the
  // call again: a step that is recorded before has an undo that looks what stands at the provider.
  await step('open the payment', async () => null, undone);
  const authorisation = await step(
    'authorise',
    (call) => provider.authorise({ orderId, pence }, keyOf(call)),
    undone,
  );
  if (authorisation.status === 'declined') {
    await step.transaction('note the decline', (tx) => bookPayment(tx, orderId, authorisation));
    return authorisation;
  }
  const end = { orderId, authorisationId: authorisation.id };
  return step('capture', (call) => provider.capture(end, keyOf(call)), undone);
}

/** Waits for the carrier. The clock does not know whether news is on its way: when the time is up, the carrier is asked. */
async function isCollected(
  { collectedWithin }: Surroundings,
  { orderId }: Order,
  { step, waitFor }: Context,
): Promise<boolean> {
  const trackingNumber = trackingNumberOf(orderId);
  const news = await waitFor(ParcelCollected, { key: trackingNumber, within: collectedWithin });
  return news !== null || step.transaction('ask the carrier', (tx) => hasCollected(tx, trackingNumber));
}
