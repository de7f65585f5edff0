create schema if not exists payment;

create table if not exists payment.payments (
  order_id text not null,
  status text not null,
  pence bigint not null,
  refunded_pence bigint not null default 0,
  charge_id text not null,
  constraint payments_pkey primary key (order_id),
  constraint payments_status check (status in ('captured', 'declined')),
  constraint payments_refunds_within_payment check (refunded_pence between 0 and pence),
  constraint payments_declined_has_no_refund check (status = 'captured' or refunded_pence = 0)
);

create table if not exists payment.refunds (
  order_id text not null,
  cause text not null,              -- the cancellation's number, or why the order was stopped
  pence bigint not null,
  refund_id text not null,
  constraint refunds_pkey primary key (order_id, cause),
  constraint refunds_payment foreign key (order_id) references payment.payments,
  constraint refunds_pence_positive check (pence > 0)
);

-- What is to be given back as soon as the order has been shipped; an order that is stopped gets everything back.
create table if not exists payment.refunds_due (
  order_id text not null,
  cause text not null,
  pence bigint not null,
  constraint refunds_due_pkey primary key (order_id, cause),
  constraint refunds_due_pence_positive check (pence > 0)
);
