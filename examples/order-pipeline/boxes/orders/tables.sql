create schema if not exists orders;

create table if not exists orders.orders (
  order_id text not null,
  accepted bigint generated always as identity,   -- the order in which they were accepted
  customer_id text not null,
  country text not null,
  placed_at timestamptz not null,
  total_pence bigint not null,
  constraint orders_pkey primary key (order_id),
  constraint orders_total_not_negative check (total_pence >= 0)
);

create table if not exists orders.order_lines (
  order_id text not null,
  line integer not null,
  customer_id text not null,
  product text not null,            -- the stock code in upper case: `85123a` and `85123A` are one product
  stock_code text not null,
  description text,
  quantity integer not null,
  unit_pence bigint not null,
  open integer not null,            -- units that have not been cancelled
  constraint order_lines_pkey primary key (order_id, line),
  constraint order_lines_order foreign key (order_id) references orders.orders,
  constraint order_lines_quantity_positive check (quantity > 0),
  constraint order_lines_price_not_negative check (unit_pence >= 0),
  constraint order_lines_open_within_quantity check (open between 0 and quantity)
);

-- Finds what a cancellation may refer to. Guests share one name, so nothing of theirs can be matched.
create index if not exists order_lines_open on orders.order_lines (customer_id, product)
  where open > 0 and customer_id <> 'guest';

create table if not exists orders.cancellations (
  cancellation_id text not null,
  customer_id text not null,
  requested_at timestamptz not null,
  outcome text not null,
  constraint cancellations_pkey primary key (cancellation_id),
  constraint cancellations_outcome check (outcome in ('accepted', 'partly accepted', 'rejected'))
);

-- Which units of which order line a line of a cancellation took; none for a rejected line, which has a reason instead.
create table if not exists orders.cancelled_units (
  cancellation_id text not null,
  cancellation_line integer not null,
  order_id text not null,
  order_line integer not null,
  units integer not null,
  pence bigint not null,
  constraint cancelled_units_pkey primary key (cancellation_id, cancellation_line, order_id, order_line),
  constraint cancelled_units_cancellation foreign key (cancellation_id) references orders.cancellations,
  constraint cancelled_units_order_line foreign key (order_id, order_line) references orders.order_lines,
  constraint cancelled_units_positive check (units > 0)
);

create table if not exists orders.rejected_lines (
  cancellation_id text not null,
  cancellation_line integer not null,
  reason text not null,
  constraint rejected_lines_pkey primary key (cancellation_id, cancellation_line),
  constraint rejected_lines_cancellation foreign key (cancellation_id) references orders.cancellations
);

-- The API's answers by Idempotency-Key, written in the transaction of what they answer.
create table if not exists orders.requests (
  key text not null,
  digest text not null,
  status integer not null,
  body jsonb not null,
  constraint requests_pkey primary key (key)
);
