import { defineHandler, type Tx } from 'factline';
import {
  OrderCancelled,
  OrderPacked,
  OrderStopped,
  PaymentCaptured,
  PaymentDeclined,
  StockRefused,
  StockReserved,
  type StopReason,
} from '../../contracts/index.ts';

/**
 * Packs what is paid and reserved, in whichever order the two arrive, and decides alone whether an order still leaves
 * the house:
 *
 *     waiting ┬→ packed    (paid and reserved)
 *             └→ stopped   (declined, out of stock, or cancelled whole before it was packed)
 *
 * A cancellation that comes after packing, or leaves something of the order open, changes nothing here: the order
 * ships, and the cancelled units come back as a return.
 */
export function fulfilment() {
  return defineHandler({
    name: 'fulfilment',
    owner: 'fulfilment',
    on: [StockReserved, StockRefused, PaymentCaptured, PaymentDeclined, OrderCancelled],
    reads: {
      [StockReserved.type]: ['orderId'],
      [StockRefused.type]: ['orderId'],
      [PaymentCaptured.type]: ['orderId'],
      [PaymentDeclined.type]: ['orderId'],
      [OrderCancelled.type]: ['orderId', 'whole'],
    },
    startAt: 'beginning',
    onReplay: 'skip',
    concurrency: 4,
    handle: async (event, { transaction }) => {
      const { orderId } = event.data;
      switch (event.type) {
        case StockReserved.type:
          return transaction((tx) => advance(tx, orderId, 'reserved'));
        case PaymentCaptured.type:
          return transaction((tx) => advance(tx, orderId, 'paid'));
        case StockRefused.type:
          return transaction((tx) => stop(tx, orderId, 'out of stock'));
        case PaymentDeclined.type:
          return transaction((tx) => stop(tx, orderId, 'payment declined'));
        case OrderCancelled.type:
          if (event.data.whole) await transaction((tx) => stop(tx, orderId, 'cancelled'));
      }
    },
  });
}

async function advance(tx: Tx, orderId: string, what: 'reserved' | 'paid'): Promise<void> {
  const { rows } = await tx.query(
    `insert into fulfilment.orders as o (order_id, reserved, paid) values ($1, $2, $3)
     on conflict (order_id) do update set
       reserved = o.reserved or excluded.reserved,
       paid = o.paid or excluded.paid,
       state = case when o.state = 'waiting' and (o.reserved or excluded.reserved) and (o.paid or excluded.paid)
               then 'packed' else o.state end
     returning state`,
    [orderId, what === 'reserved', what === 'paid'],
  );
  // Either fact comes once an order, so the one that finds it packed is the one that packed it.
  if ((rows as Array<{ state: string }>)[0]?.state === 'packed') tx.publish(OrderPacked({ orderId }));
}

async function stop(tx: Tx, orderId: string, reason: StopReason): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into fulfilment.orders as o (order_id, state, reason) values ($1, 'stopped', $2)
     on conflict (order_id) do update set state = 'stopped', reason = $2 where o.state = 'waiting'`,
    [orderId, reason],
  );
  if (rowCount === 1) tx.publish(OrderStopped({ orderId, reason }));
}
