create schema if not exists notification;

create table if not exists notification.notifications (
  event_id text not null,
  order_id text not null,
  customer_id text not null,
  kind text not null,
  message_id text not null,
  constraint notifications_pkey primary key (event_id),
  constraint notifications_one_message_each unique (message_id),
  constraint notifications_kind check (kind in ('order received', 'order cancelled', 'order stopped'))
);

create index if not exists notifications_by_order on notification.notifications (order_id);
