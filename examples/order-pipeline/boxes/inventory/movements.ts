import type { DataOf, Tx } from 'factline';
import {
  type OrderCancelled,
  StockRefused,
  StockReleased,
  StockReserved,
  StockReturned,
} from '../../contracts/index.ts';
import { countUnits, goodsOf, moveStock, openProducts, reserve, type Units } from './stock.ts';

/*
 * What inventory can be asked to do, whoever asks: the choreography's consumer or the orchestrated workflow.
 *
 *     reserved ┬→ shipped   (off the shelf; what was cancelled comes back as a return)
 *     refused  └→ released  (the order will not leave the house; what was cancelled never left)
 */

/** Products whose books are known to be open, so that most orders need not ask. */
export type KnownProducts = Set<string>;

/** Sets aside all of it or nothing, and says which. @returns the products of which there is not enough */
export async function reserveOrder(
  tx: Tx,
  orderId: string,
  { goods, known }: { goods: readonly Units[]; known: ReadonlySet<string> },
): Promise<string[]> {
  const unseen = goods.map(({ product }) => product).filter((product) => !known.has(product));
  if (unseen.length > 0) await openProducts(tx, unseen);
  const lacking = await reserve(tx, orderId, goods);
  const [missing, ...others] = lacking;
  if (missing === undefined) tx.publish(StockReserved({ orderId, units: countUnits(goods) }));
  else tx.publish(StockRefused({ orderId, missing: [missing, ...others] }));
  return lacking;
}

/** Takes what was reserved off the shelf. */
export async function takeOffShelf(tx: Tx, orderId: string): Promise<void> {
  const goods = await leaveReservation(tx, orderId, 'shipped');
  await moveStock(tx, goods ?? [], { onHand: -1, reserved: -1 });
}

/** Frees what was reserved; nothing, when nothing is. */
export async function releaseOrder(tx: Tx, orderId: string): Promise<void> {
  const goods = await leaveReservation(tx, orderId, 'released');
  await settleReturns(tx, orderId, 'void');
  if (goods === null) return;
  await moveStock(tx, goods, { onHand: 0, reserved: -1 });
  tx.publish(StockReleased({ orderId, units: countUnits(goods) }));
}

/** Notes cancelled units, and puts them back on the shelf if they had left it. */
export async function returnUnits(
  tx: Tx,
  {
    orderId,
    cancellationId,
    lines,
  }: Pick<DataOf<typeof OrderCancelled>, 'orderId' | 'cancellationId' | 'lines'>,
): Promise<void> {
  const goods = goodsOf(lines);
  if (goods.length === 0) return;
  const { rows } = await tx.query('select state from inventory.reservations where order_id = $1', [orderId]);
  const state = (rows as Array<{ state: string }>)[0]?.state ?? 'not yet';
  const open = state === 'reserved' || state === 'not yet';
  const fate = state === 'shipped' ? 'returned' : open ? 'awaited' : 'void';
  await tx.query(
    'insert into inventory.returns (order_id, cancellation_id, state, lines) values ($1, $2, $3, $4::jsonb)',
    [orderId, cancellationId, fate, JSON.stringify(goods)],
  );
  if (fate === 'returned') await putBack(tx, orderId, { cancellationId, lines: goods });
}

/** The order's fate is known: what its cancellations wait for comes back, or never left. */
export async function settleReturns(tx: Tx, orderId: string, state: 'returned' | 'void'): Promise<void> {
  const { rows } = await tx.query(
    `update inventory.returns set state = $2 where order_id = $1 and state = 'awaited'
     returning cancellation_id as "cancellationId", lines`,
    [orderId, state],
  );
  if (state === 'void') return;
  for (const settled of rows as Return[]) await putBack(tx, orderId, settled);
}

interface Return {
  readonly cancellationId: string;
  readonly lines: readonly Units[];
}

async function putBack(tx: Tx, orderId: string, { cancellationId, lines }: Return): Promise<void> {
  await moveStock(tx, lines, { onHand: 1, reserved: 0 });
  tx.publish(StockReturned({ orderId, cancellationId, units: countUnits(lines) }));
}

/** Ends a reservation; null when there was none to end. */
async function leaveReservation(
  tx: Tx,
  orderId: string,
  state: 'shipped' | 'released',
): Promise<Units[] | null> {
  const { rows } = await tx.query(
    `update inventory.reservations set state = $2 where order_id = $1 and state = 'reserved' returning lines`,
    [orderId, state],
  );
  return (rows as Array<{ lines: Units[] }>)[0]?.lines ?? null;
}
