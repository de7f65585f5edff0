import type { Tx } from 'factline';
import { OrderPacked, OrderStopped, type StopReason } from '../../contracts/index.ts';

/*
 * Fulfilment alone decides whether an order still leaves the house, whoever asks it:
 *
 *     waiting ⇄ packed    (paid and reserved; only the orchestrated workflow unpacks, when the parcel was not collected)
 *        └→ stopped       (declined, out of stock, not collected, or cancelled whole before it was packed)
 *
 * The order's row is the place where two that decide at once meet.
 */

/** Packs it, unless it was stopped. @returns whether it is packed now */
export async function packOrder(tx: Tx, orderId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into fulfilment.orders as o (order_id, reserved, paid, state) values ($1, true, true, 'packed')
     on conflict (order_id) do update set reserved = true, paid = true, state = 'packed' where o.state = 'waiting'`,
    [orderId],
  );
  if (rowCount === 1) tx.publish(OrderPacked({ orderId }));
  return rowCount === 1;
}

/** Notes that it is reserved or paid, in whichever order the two come, and packs it when it is both. */
export async function advanceOrder(tx: Tx, orderId: string, what: 'reserved' | 'paid'): Promise<void> {
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

/** Stops it, unless it is packed or stopped already. */
export async function stopOrder(tx: Tx, orderId: string, reason: StopReason): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into fulfilment.orders as o (order_id, state, reason) values ($1, 'stopped', $2)
     on conflict (order_id) do update set state = 'stopped', reason = $2 where o.state = 'waiting'`,
    [orderId, reason],
  );
  if (rowCount === 1) tx.publish(OrderStopped({ orderId, reason }));
}

/** It was cancelled whole: stops it, at once or as soon as somebody unpacks it. */
export async function cancelOrder(tx: Tx, orderId: string): Promise<void> {
  await stopOrder(tx, orderId, 'cancelled');
  await tx.query('update fulfilment.orders set cancelled = true where order_id = $1', [orderId]);
}

/** Takes a packed order apart again; what was cancelled meanwhile is stopped by that. */
export async function unpackOrder(tx: Tx, orderId: string): Promise<void> {
  const { rows } = await tx.query(
    `update fulfilment.orders set unpacked = true, state = case when cancelled then 'stopped' else 'waiting' end,
       reason = case when cancelled then 'cancelled' end
     where order_id = $1 and state = 'packed' returning cancelled`,
    [orderId],
  );
  const [unpacked] = rows as Array<{ cancelled: boolean }>;
  if (unpacked?.cancelled) tx.publish(OrderStopped({ orderId, reason: 'cancelled' }));
}

export async function isStopped(tx: Pick<Tx, 'query'>, orderId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `select from fulfilment.orders where order_id = $1 and state = 'stopped'`,
    [orderId],
  );
  return rowCount === 1;
}
