import type { Reader } from './reader.ts';

// What the boxes' own tables say, read with plain SQL.

/** What the boxes know about one order. */
export interface ActualOrder {
  readonly orderId: string;
  readonly account: string;
  readonly pence: number;
  readonly linePence: number;
  readonly shipped: boolean;
  readonly stopped: string | null;
  readonly reservation: string | null;
  readonly payment: 'captured' | 'declined' | null;
  readonly paidPence: number;
  readonly refundedPence: number;
  readonly providerCharges: number;
  readonly providerChargedPence: number;
  readonly providerRefundedPence: number;
  readonly summaryStatus: string | null;
  readonly summaryNetPence: number;
}

export async function readOrders(pool: Reader): Promise<ActualOrder[]> {
  const { rows } = await pool.query<ActualOrder>(`
    with lines as (
      select order_id, sum(quantity * unit_pence) as pence from orders.order_lines group by order_id
    ), refunds as (
      select order_id, sum(pence) as pence from payment.refunds group by order_id
    ), provider as (
      select order_id,
        count(*) filter (where kind in ('charge', 'capture')) as charges,
        sum(pence) filter (where status = 'captured') as charged,
        sum(pence) filter (where status = 'refunded') as refunded
      from payment_provider.ledger group by order_id
    )
    select o.order_id as "orderId",
      o.customer_id || ' in ' || o.country as account,
      o.total_pence::float8 as pence,
      coalesce(l.pence, 0)::float8 as "linePence",
      s.order_id is not null as shipped,
      f.reason as stopped,
      r.state as reservation,
      p.status as payment,
      (case when p.status = 'captured' then p.pence else 0 end)::float8 as "paidPence",
      coalesce(b.pence, 0)::float8 as "refundedPence",
      coalesce(v.charges, 0)::int as "providerCharges",
      coalesce(v.charged, 0)::float8 as "providerChargedPence",
      coalesce(v.refunded, 0)::float8 as "providerRefundedPence",
      m.status as "summaryStatus",
      coalesce(m."paidPence" - m."refundedPence", 0)::float8 as "summaryNetPence"
    from orders.orders o
      left join lines l using (order_id)
      left join shipping.shipments s using (order_id)
      left join fulfilment.orders f using (order_id)
      left join inventory.reservations r using (order_id)
      left join payment.payments p using (order_id)
      left join refunds b using (order_id)
      left join provider v using (order_id)
      left join "order-summary" m on m."orderId" = o.order_id`);
  return rows;
}

/** Charges and refunds in the provider's ledger of orders that nobody placed. */
export async function readStrayBookings(pool: Reader): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`
    select count(*)::int as count from payment_provider.ledger l
    where not exists (select from orders.orders o where o.order_id = l.order_id)`);
  return rows[0]?.count ?? 0;
}

export interface SpendRow {
  readonly account: string;
  readonly orderedPence: number;
  readonly cancelledPence: number;
}

export async function readSpend(pool: Reader): Promise<SpendRow[]> {
  const { rows } = await pool.query<SpendRow>(`
    select "customerId" || ' in ' || country as account, "orderedPence"::float8 as "orderedPence",
      "cancelledPence"::float8 as "cancelledPence"
    from "customer-spend"`);
  return rows;
}

export interface StockRow {
  readonly product: string;
  readonly initial: number;
  readonly onHand: number;
  readonly reserved: number;
}

export async function readStock(pool: Reader): Promise<StockRow[]> {
  const { rows } = await pool.query<StockRow>(`
    select product, initial::float8 as initial, on_hand::float8 as "onHand", reserved::float8 as reserved
    from inventory.stock`);
  return rows;
}

export interface CancellationRow {
  readonly cancellationId: string;
  readonly orderId: string;
}

export async function readCancelledOrders(pool: Reader): Promise<CancellationRow[]> {
  const { rows } = await pool.query<CancellationRow>(`
    select distinct cancellation_id as "cancellationId", order_id as "orderId" from orders.cancelled_units`);
  return rows;
}

export async function readRejectedCancellations(pool: Reader): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from orders.cancellations where outcome = 'rejected'`,
  );
  return rows[0]?.count ?? 0;
}

export interface NotificationRow {
  readonly orderId: string;
  readonly kind: string;
  readonly messageId: string;
}

export async function readNotifications(pool: Reader): Promise<NotificationRow[]> {
  const { rows } = await pool.query<NotificationRow>(`
    select order_id as "orderId", kind, message_id as "messageId" from notification.notifications`);
  return rows;
}

/** How often the boxes did what each type of event says, counted where it was done. */
export async function readDeeds(pool: Reader): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ type: string; count: number }>(`
    select 'orders.order.placed.v1' as type, count(*)::int as count from orders.orders
    union all select 'orders.order.cancelled.v1', count(distinct (cancellation_id, order_id))::int
      from orders.cancelled_units
    union all select 'orders.cancellation.rejected.v1', count(*)::int
      from orders.cancellations where outcome = 'rejected'
    union all select 'inventory.stock.reserved.v1', count(*)::int from inventory.reservations where state <> 'refused'
    union all select 'inventory.stock.refused.v1', count(*)::int from inventory.reservations where state = 'refused'
    union all select 'inventory.stock.released.v1', count(*)::int from inventory.reservations where state = 'released'
    union all select 'inventory.stock.returned.v1', count(*)::int from inventory.returns where state = 'returned'
    union all select 'payments.payment.captured.v1', count(*)::int from payment.payments where status = 'captured'
    union all select 'payments.payment.declined.v1', count(*)::int from payment.payments where status = 'declined'
    union all select 'payments.payment.refunded.v1', count(*)::int from payment.refunds
    union all select 'fulfilment.order.packed.v1', count(*)::int from fulfilment.orders where state = 'packed' or unpacked
    union all select 'fulfilment.order.stopped.v1', count(*)::int from fulfilment.orders where state = 'stopped'
    union all select 'shipping.order.shipped.v1', count(*)::int from shipping.shipments
    union all select 'shipping.pickup.requested.v1', count(*)::int from shipping.pickups
    union all select 'shipping.pickup.withdrawn.v1', count(*)::int from shipping.pickups where withdrawn
    union all select 'carrier.parcel.collected.v1', count(*)::int
      from carrier.parcels where state in ('collected', 'brought back')`);
  return new Map(rows.filter(({ count }) => count > 0).map(({ type, count }) => [type, count]));
}
