-- Quarantined events that a declared repair of their handler takes over.

-- The repair that handles the event instead of the handler, from the next attempt on.
alter table factline.parked_events add column repair text;

-- Who sent what to which repair; null: the redirect was taken back. What became of the event its parked row and the record of the
-- release tell.
create table factline.quarantine_redirects (
  id            bigint generated always as identity,
  consumer_id   integer not null,
  parked_id     bigint not null,
  position      bigint not null,
  repair        text,
  actor         text not null,
  reason        text not null,
  redirected_at timestamptz not null default factline.clock(),
  constraint quarantine_redirects_pkey primary key (id)
);
create index quarantine_redirects_parked on factline.quarantine_redirects (parked_id, id);
