create schema if not exists inventory;

create table if not exists inventory.stock (
  product text not null,
  initial bigint not null,
  on_hand bigint not null,          -- on the shelf, reserved units included
  reserved bigint not null default 0,
  constraint stock_pkey primary key (product),
  constraint stock_reserved_is_on_hand check (0 <= reserved and reserved <= on_hand)
) with (fillfactor = 50);           -- every order updates its products: leave room to do so in place

create table if not exists inventory.reservations (
  order_id text not null,
  state text not null,
  lines jsonb not null,             -- [{ "product", "quantity" }]: goods only, one line a product
  constraint reservations_pkey primary key (order_id),
  constraint reservations_state check (state in ('reserved', 'refused', 'shipped', 'released'))
) with (fillfactor = 80);

-- Cancelled units: `awaited` until the order's fate is known, then `returned`, or `void` when it never left the house.
create table if not exists inventory.returns (
  order_id text not null,
  cancellation_id text not null,
  state text not null,
  lines jsonb not null,
  constraint returns_pkey primary key (order_id, cancellation_id),
  constraint returns_state check (state in ('awaited', 'returned', 'void'))
);
