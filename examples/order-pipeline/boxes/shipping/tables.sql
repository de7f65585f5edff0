create schema if not exists shipping;

create table if not exists shipping.shipments (
  order_id text not null,
  tracking_number text not null,
  shipped_at timestamptz not null default clock_timestamp(),
  constraint shipments_pkey primary key (order_id),
  constraint shipments_one_tracking_number_each unique (tracking_number)
);

-- Whom the carrier was asked to come for.
create table if not exists shipping.pickups (
  order_id text not null,
  tracking_number text not null,
  withdrawn boolean not null default false,
  constraint pickups_pkey primary key (order_id)
);
