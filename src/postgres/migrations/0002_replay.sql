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

-- ── Governed replay ──────────────────────────────────────────────────────────────────────────────
-- One row per replay: where it is in its life (src/replay/lifecycle), what was frozen, what approvals hold for, how far it ran.
-- approvals_required is the policy: projections are rebuilt beside the live table, so up to ten million events need nobody
-- else; handlers need another person, and two where effects happen anew or more than a thousand events are meant.
create table factline.replays (
  id            bigint generated always as identity,
  app           text not null,
  consumer      text not null,
  consumer_id   integer not null,
  class         text not null,
  mode          text not null,
  effects       text not null,
  code_version  text not null,
  revision      integer not null default 1,
  state         text not null default 'draft',
  planned_by    text not null,
  requested_by  text,
  -- The frozen selection: its number counts estimates, so that two at once never mix.
  freeze_number        integer not null default 0,
  log_epoch     uuid,
  ceiling       bigint,
  selected      bigint,
  excluded      bigint,
  digest        text,
  frozen_at     timestamptz,
  expires_at    timestamptz,
  estimate      jsonb,
  approvals_required integer generated always as (
    case when class = 'projection' then case when coalesce(selected, 0) <= 10000000 then 0 else 1 end
         when effects = 'execute' or coalesce(selected, 0) > 1000 then 2
         else 1 end) stored,
  break_glass   boolean not null default false,
  -- The run: the highest selected position that was handed to the consumer, what became of those, how fast it goes now.
  cursor        bigint not null default 0,
  released      bigint not null default 0,
  rate_now      double precision,
  yielding      text,
  -- Of a rebuild: the request that the process which works the projection carries out.
  request_id    bigint,
  paused_kind   text,
  paused_by     text,
  paused_reason text,
  outcome       jsonb,
  planned_at    timestamptz not null default factline.clock(),
  changed_at    timestamptz not null default factline.clock(),
  began_at      timestamptz,
  ended_at      timestamptz,
  constraint replays_pkey primary key (id),
  constraint replays_class check (class in ('projection', 'operational')),
  constraint replays_mode check ((class = 'projection') = (mode = 'blue-green') and mode in ('blue-green', 'redeliver')),
  constraint replays_effects check (effects in ('skip', 'reuse', 'execute') and (class = 'operational' or effects = 'skip')),
  constraint replays_state check (state in ('draft', 'estimating', 'estimated', 'pending_approval', 'approved', 'canary', 'running',
    'paused', 'verifying', 'done', 'done_with_failures', 'aborted', 'failed', 'rejected', 'expired')),
  constraint replays_frozen check (state in ('draft', 'estimating', 'aborted') or (digest is not null and expires_at is not null)),
  constraint replays_paused check ((state = 'paused') = (paused_kind is not null)),
  constraint replays_paused_kind check (paused_kind in ('person', 'guard')),
  constraint replays_counts check (cursor >= 0 and released >= 0 and selected >= 0 and excluded >= 0)
);
-- Two replays of one consumer would work the same keys without an order.
create unique index replays_one_under_way on factline.replays (consumer) where state in ('canary', 'running', 'paused', 'verifying');

-- What was asked for, a row per revision.
create table factline.replay_revisions (
  replay_id  bigint not null,
  revision   integer not null,
  manifest   jsonb not null,
  digest     text not null,
  made_by    text not null,
  made_at    timestamptz not null default factline.clock(),
  constraint replay_revisions_pkey primary key (replay_id, revision)
);
create trigger replay_revisions_are_final before update or delete or truncate on factline.replay_revisions
  for each statement execute function factline.refuse_change();

-- The frozen selection of a replay that redelivers: one row per event; excluded says why one can't be replayed.
create table factline.replay_selection (
  replay_id bigint not null,
  freeze_number    integer not null,
  position  bigint not null,
  key_hash  integer not null,
  excluded  text,
  constraint replay_selection_pkey primary key (replay_id, freeze_number, position),
  constraint replay_selection_excluded check (excluded in ('in quarantine', 'parked', 'not handled yet', 'undecodable'))
);

-- Who approved what. requested_by and planned_by are filled in by the database, so that nobody can say otherwise; a name in
-- other letters is the same person.
create table factline.replay_approvals (
  replay_id    bigint not null,
  revision     integer not null,
  digest       text not null,
  approver     text not null,
  requested_by text not null,
  planned_by   text not null,
  break_glass  boolean not null default false,
  reason       text,
  approved_at  timestamptz not null default factline.clock(),
  constraint replay_approvals_not_by_requester check (lower(trim(approver)) <> lower(trim(requested_by)) or break_glass),
  constraint replay_approvals_not_by_planner check (lower(trim(approver)) <> lower(trim(planned_by)) or break_glass),
  constraint replay_approvals_broken_glass check (not break_glass or length(trim(reason)) >= 15)
);
create unique index replay_approvals_once on factline.replay_approvals (replay_id, revision, digest, lower(trim(approver)));
create trigger replay_approvals_are_final before update or delete or truncate on factline.replay_approvals
  for each statement execute function factline.refuse_change();

-- An approval is for what is there now: the row is locked, so no edit slips in between.
create function factline.bind_approval() returns trigger language plpgsql as $$
declare
  replay factline.replays;
begin
  select * into replay from factline.replays r where r.id = new.replay_id for update;
  if replay.state is distinct from 'pending_approval' or (replay.revision, replay.digest) is distinct from (new.revision, new.digest)
     or replay.expires_at <= factline.clock() then
    raise exception using errcode = 'FL008', message = 'the replay has changed, or waits for no approval';
  end if;
  new.requested_by := replay.requested_by;
  new.planned_by := replay.planned_by;
  return new;
end $$;
create trigger replay_approvals_are_bound before insert on factline.replay_approvals
  for each row execute function factline.bind_approval();

-- What no code may do by mistake: begin without the approvals of exactly this revision and digest, change what was approved,
-- or go on after the end.
create function factline.guard_replay() returns trigger language plpgsql as $$
declare
  approvals integer;
  glass boolean;
begin
  if tg_op = 'INSERT' then
    if new.state <> 'draft' then
      raise exception using errcode = 'FL009', message = 'a replay begins as a draft';
    end if;
    return new;
  end if;
  if old.state in ('done', 'done_with_failures', 'aborted', 'failed', 'rejected', 'expired') and new.state <> old.state then
    raise exception using errcode = 'FL009', message = format('a replay that is %s stays so', old.state);
  end if;
  if (new.consumer, new.class, new.mode) is distinct from (old.consumer, old.class, old.mode) then
    raise exception using errcode = 'FL009', message = 'a replay keeps its consumer';
  end if;
  if new.state not in ('draft', 'estimating', 'estimated')
     and (new.revision, new.digest, new.selected, new.effects, new.freeze_number, new.ceiling, new.consumer_id)
         is distinct from (old.revision, old.digest, old.selected, old.effects, old.freeze_number, old.ceiling, old.consumer_id) then
    raise exception using errcode = 'FL009', message = 'what is asked for or approved does not change';
  end if;
  if new.state <> old.state and (new.state = 'approved' or old.state = 'approved' and new.state in ('canary', 'running')) then
    if new.expires_at <= factline.clock() then
      raise exception using errcode = 'FL008', message = 'the frozen selection has expired';
    end if;
    select count(*), coalesce(bool_or(a.break_glass), false) into approvals, glass from factline.replay_approvals a
      where a.replay_id = new.id and a.revision = new.revision and a.digest = new.digest;
    -- Of the old row: a generated column is not filled in yet here, and what it is made of has not changed.
    if approvals < old.approvals_required and not glass then
      raise exception using errcode = 'FL007', message = 'approvals are missing', detail = approvals::text;
    end if;
    new.break_glass := glass;
  elsif new.state <> old.state and new.state in ('canary', 'running', 'paused', 'verifying')
     and old.state not in ('canary', 'running', 'paused') then
    raise exception using errcode = 'FL007', message = 'it was not approved', detail = '0';
  end if;
  return new;
end $$;
create trigger replays_are_guarded before insert or update on factline.replays
  for each row execute function factline.guard_replay();

-- What became of an effect: in live operation it is executed, a replay may reuse its recorded result, skip it or be blocked.
alter table factline.effects add column disposition text not null default 'executed',
  add constraint effects_disposition check (disposition in ('executed', 'reused', 'skipped', 'blocked'));
