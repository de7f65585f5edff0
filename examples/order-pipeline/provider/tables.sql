-- The payment provider's own ledger. Nobody but the provider writes here; the audit only reads it.
create schema if not exists payment_provider;

create table if not exists payment_provider.ledger (
  entry bigint generated always as identity,
  idempotency_key text not null,
  request_digest text not null,
  kind text not null,
  status text not null,
  reference text not null,          -- the charge's or the refund's own id
  charge text not null,             -- for a refund: the charge that it gives back; for a charge: itself
  order_id text not null,
  pence bigint not null,
  booked_at timestamptz not null default clock_timestamp(),
  constraint ledger_pkey primary key (entry),
  constraint ledger_one_entry_per_key unique (idempotency_key),
  constraint ledger_one_entry_per_reference unique (reference),
  constraint ledger_kind check (kind in ('charge', 'refund')),
  constraint ledger_status check (status in ('captured', 'declined', 'refunded')),
  constraint ledger_pence_positive check (pence > 0)
);

create index if not exists ledger_by_charge on payment_provider.ledger (charge);
