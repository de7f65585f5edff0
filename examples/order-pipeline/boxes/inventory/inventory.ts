import { type DataOf, defineHandler, PermanentError, type Tx } from 'factline';
import {
  OrderCancelled,
  OrderPlaced,
  OrderShipped,
  OrderStopped,
  StockRefused,
  StockReleased,
  StockReserved,
  StockReturned,
} from '../../contracts/index.ts';
import { countUnits, goodsOf, moveStock, openProducts, reserve, type Units } from './stock.ts';

/**
 * Stock follows the order:
 *
 *     placed → reserved ┬→ shipped   (off the shelf; what was cancelled comes back as a return)
 *            ↘ refused  └→ released  (the order was stopped; what was cancelled never left)
 *
 * A cancellation that arrives in between does not decide which it is: fulfilment does. Until then it is `awaited`.
 */
export function inventory() {
  const known = new Set<string>(); // products whose books are open, so that most orders need not ask
  return defineHandler({
    name: 'inventory',
    owner: 'inventory',
    on: [OrderPlaced, OrderCancelled, OrderStopped, OrderShipped],
    reads: {
      [OrderPlaced.type]: ['orderId', 'lines'],
      [OrderCancelled.type]: ['orderId', 'cancellationId', 'lines'],
      [OrderStopped.type]: ['orderId'],
      [OrderShipped.type]: ['orderId'],
    },
    startAt: 'beginning',
    onReplay: 'skip',
    concurrency: 3, // popular products are shared rows: more at once would only wait for one another
    handle: async (event, { transaction }) => {
      if (OrderPlaced.is(event)) {
        const goods = goodsOf(event.data.lines);
        await transaction((tx) => reserveOrder(tx, event.data.orderId, { goods, known }));
        for (const { product } of goods) known.add(product);
        return;
      }
      await transaction((tx) => {
        if (OrderShipped.is(event)) return shipOrder(tx, event.data.orderId);
        if (OrderStopped.is(event)) return releaseOrder(tx, event.data.orderId);
        return returnUnits(tx, event.data);
      });
    },
  });
}

async function reserveOrder(
  tx: Tx,
  orderId: string,
  { goods, known }: { goods: readonly Units[]; known: ReadonlySet<string> },
): Promise<void> {
  const unseen = goods.map(({ product }) => product).filter((product) => !known.has(product));
  if (unseen.length > 0) await openProducts(tx, unseen);
  const [missing, ...others] = await reserve(tx, orderId, goods);
  if (missing === undefined) tx.publish(StockReserved({ orderId, units: countUnits(goods) }));
  else tx.publish(StockRefused({ orderId, missing: [missing, ...others] }));
}

async function shipOrder(tx: Tx, orderId: string): Promise<void> {
  const goods = await leaveReservation(tx, orderId, 'shipped');
  await moveStock(tx, goods ?? [], { onHand: -1, reserved: -1 });
  for (const { cancellationId, lines } of await settleReturns(tx, orderId, 'returned')) {
    await moveStock(tx, lines, { onHand: 1, reserved: 0 });
    tx.publish(StockReturned({ orderId, cancellationId, units: countUnits(lines) }));
  }
}

async function releaseOrder(tx: Tx, orderId: string): Promise<void> {
  const goods = await leaveReservation(tx, orderId, 'released');
  await settleReturns(tx, orderId, 'void');
  if (goods === null) return; // nothing had been reserved
  await moveStock(tx, goods, { onHand: 0, reserved: -1 });
  tx.publish(StockReleased({ orderId, units: countUnits(goods) }));
}

async function returnUnits(
  tx: Tx,
  { orderId, cancellationId, lines }: DataOf<typeof OrderCancelled>,
): Promise<void> {
  const goods = goodsOf(lines);
  if (goods.length === 0) return;
  const { rows } = await tx.query('select state from inventory.reservations where order_id = $1', [orderId]);
  const [reservation] = rows as Array<{ state: string }>;
  if (reservation === undefined) throw new PermanentError(`order ${orderId} was never seen`);
  const { state } = reservation;
  const fate = state === 'shipped' ? 'returned' : state === 'reserved' ? 'awaited' : 'void';
  await tx.query(
    'insert into inventory.returns (order_id, cancellation_id, state, lines) values ($1, $2, $3, $4::jsonb)',
    [orderId, cancellationId, fate, JSON.stringify(goods)],
  );
  if (fate !== 'returned') return;
  await moveStock(tx, goods, { onHand: 1, reserved: 0 });
  tx.publish(StockReturned({ orderId, cancellationId, units: countUnits(goods) }));
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

async function settleReturns(
  tx: Tx,
  orderId: string,
  state: 'returned' | 'void',
): Promise<Array<{ cancellationId: string; lines: Units[] }>> {
  const { rows } = await tx.query(
    `update inventory.returns set state = $2 where order_id = $1 and state = 'awaited'
     returning cancellation_id as "cancellationId", lines`,
    [orderId, state],
  );
  return rows as Array<{ cancellationId: string; lines: Units[] }>;
}
