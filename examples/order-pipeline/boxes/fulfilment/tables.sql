create schema if not exists fulfilment;

create table if not exists fulfilment.orders (
  order_id text not null,
  reserved boolean not null default false,
  paid boolean not null default false,
  state text not null default 'waiting',
  reason text,                      -- why it was stopped
  cancelled boolean not null default false, -- whole, while its workflow ran
  unpacked boolean not null default false,  -- it had been packed, and was taken apart again
  constraint orders_pkey primary key (order_id),
  constraint orders_state check (state in ('waiting', 'packed', 'stopped')),
  constraint orders_packed_is_paid_and_reserved check (state <> 'packed' or (reserved and paid)),
  constraint orders_stopped_has_a_reason check ((state = 'stopped') = (reason is not null))
) with (fillfactor = 80);
