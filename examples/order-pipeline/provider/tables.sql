-- The payment provider's own ledger. Nobody but the provider writes here; the audit only reads it.
create schema if not exists payment_provider;

-- Two ways to take money: a charge at once, or an authorisation that is captured or voided later. What gives money back
-- is a refund, of a charge or of a capture.
create table if not exists payment_provider.ledger (
  entry bigint generated always as identity,
  idempotency_key text not null,
  request_digest text not null,
  kind text not null,
  status text not null,
  reference text not null,          -- the entry's own id
  charge text not null,             -- what it belongs to: a refund's charge, a capture's or a void's authorisation; else itself
  order_id text not null,
  pence bigint not null,
  booked_at timestamptz not null default clock_timestamp(),
  constraint ledger_pkey primary key (entry),
  constraint ledger_one_entry_per_key unique (idempotency_key),
  constraint ledger_one_entry_per_reference unique (reference),
  constraint ledger_kind check (kind in ('charge', 'refund', 'authorisation', 'capture', 'void')),
  constraint ledger_status check (status in ('captured', 'declined', 'refunded', 'authorised', 'voided')),
  constraint ledger_pence_positive check (pence > 0)
);

create index if not exists ledger_by_charge on payment_provider.ledger (charge);
create index if not exists ledger_by_order on payment_provider.ledger (order_id) where kind = 'authorisation';
-- An authorisation ends once.
create unique index if not exists ledger_authorisation_ends_once on payment_provider.ledger (charge)
  where kind in ('capture', 'void');
