-- Who may what, the record of every act, and governed replay.

-- ── Who may, and what was done ───────────────────────────────────────────────────────────────────
-- What the apps of this database declare (createFactline({ roles })). No row at all: everybody has every role.
create table factline.roles (
  app   text not null,
  name  text not null,
  roles text[] not null,
  constraint roles_pkey primary key (app, name),
  constraint roles_known check (roles <@ array['viewer', 'responder', 'operator', 'approver', 'steward', 'admin', 'auditor'])
);

-- Every act of a person, one row each, chained: hash covers the row and the hash of the row before. Numbers have no gaps,
-- which an identity would not promise.
create table factline.audit (
  number        bigint not null,
  at            timestamptz not null,
  actor         text not null,
  account       text,
  via           text not null,
  act           text not null,
  decision      text not null,
  target        text not null,
  reason        text,
  details       jsonb not null,
  previous_hash text not null,
  hash          text not null,
  constraint audit_pkey primary key (number),
  constraint audit_via check (via in ('cli', 'api', 'engine')),
  constraint audit_decision check (decision in ('done', 'denied'))
);
create index audit_target on factline.audit (target, number);

-- The end of the chain. Its lock lets one act after the other be chained; with it, rows cut off at the end are missed.
create table factline.audit_head (
  only_row boolean primary key default true,
  number   bigint not null default 0,
  hash     text not null default repeat('0', 64),
  constraint audit_head_only_row check (only_row)
) with (fillfactor = 50);
insert into factline.audit_head default values;

create function factline.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'FL006', message = format('rows of %I.%I are never changed or removed', tg_table_schema, tg_table_name);
end $$;
create trigger audit_is_append_only before update or delete or truncate on factline.audit
  for each statement execute function factline.refuse_change();
