-- The first migration: everything the engine stands on. Forward only; run under one advisory lock.
-- Read ARCHITECTURE.md ("Tables") for the drawing. Every table names its invariants as constraints.

create schema if not exists factline;

-- ── Clock ────────────────────────────────────────────────────────────────────────────────────────
-- The one clock of the engine. Never now(): that is the transaction's start. testFactline replaces it
-- by a version with a constant offset, in its own database only.
create function factline.clock() returns timestamptz
  language sql volatile parallel safe as $$ select clock_timestamp() $$;

-- Turns a failed precondition of a statement into an error with a SQLSTATE of our own (FL…), so that a
-- COMMIT that was sent in the same round trip is skipped by the server.
create function factline.refuse(code text, message text, detail text default '') returns boolean
  language plpgsql volatile as $$
begin
  raise exception using errcode = code, message = message, detail = detail;
end $$;

-- ── The log ──────────────────────────────────────────────────────────────────────────────────────
create table factline.log_meta (
  only_row          boolean primary key default true,
  log_epoch         uuid not null default gen_random_uuid(),
  system_identifier text not null,
  timeline          integer not null,
  compacted_below   bigint not null default 0,
  created_at        timestamptz not null default factline.clock(),
  constraint log_meta_only_row check (only_row),
  constraint log_meta_compacted_below check (compacted_below >= 0)
);

create table factline.events (
  position    bigint generated always as identity,
  id          uuid not null,
  type        text not null,
  source      text not null,
  key         text not null,
  key_hash    integer not null,
  data        jsonb not null,
  meta        jsonb not null,
  time        timestamptz not null,
  recorded_at timestamptz not null default factline.clock(),
  class       text not null default 'standard',
  stream      text,
  version     bigint,
  tags        text[],
  constraint events_pkey primary key (position),
  constraint events_class check (class in ('standard', 'forever')),
  constraint events_key check (octet_length(key) between 1 and 1200)
) partition by range (position);

-- The largest position ever proven settled: where a starting reader begins to prove (LOG.md §1, 6b).
create table factline.log_mark (
  only_row boolean primary key default true,
  settled  bigint not null default 0,
  constraint log_mark_only_row check (only_row)
) with (fillfactor = 50);

-- Ids that others gave: dedupe keys now, ingested ids later. `position` is filled in the same transaction.
create table factline.event_ids (
  source         text not null,
  key            text not null,
  position       bigint,
  payload_digest text not null,
  recorded_at    timestamptz not null default factline.clock(),
  constraint event_ids_pkey primary key (source, key)
);
create index event_ids_recorded_at on factline.event_ids (recorded_at);

create table factline.stream_heads (
  stream  text not null,
  version bigint not null,
  constraint stream_heads_pkey primary key (stream),
  constraint stream_heads_version check (version >= 0)
);

-- ── Who consumes, and who runs ───────────────────────────────────────────────────────────────────
create table factline.consumers (
  id             integer generated always as identity,
  app            text not null,
  class          text not null,
  name           text not null,
  version        integer not null default 1,
  build          integer not null default 1,
  state          text not null default 'live',
  generation     integer not null default 1,
  types          text[] not null,
  key_version    integer not null default 1,
  lanes          integer not null,
  ordering       text not null default 'key',
  start_position bigint not null,
  former_names   text[] not null default '{}',
  declaration    jsonb not null default '{}',
  handled_within_ms bigint,
  error_budget   double precision,
  paused_reason  text,
  paused_by      text,
  paused_at      timestamptz,
  registered_at  timestamptz not null default factline.clock(),
  constraint consumers_pkey primary key (id),
  constraint consumers_name_build unique (name, build),
  constraint consumers_class check (class in ('projection', 'operational', 'workflow')),
  constraint consumers_state check (state in ('live', 'building', 'retired')),
  constraint consumers_ordering check (ordering in ('key', 'global', 'none')),
  constraint consumers_lanes check (lanes between 1 and 1024),
  constraint consumers_start_position check (start_position >= 0)
);

-- Every (types, key version, lanes) a consumer was ever declared with, and the position at which it begins to lead.
-- The leading one is consumers.generation; higher ones wait for their barrier. `declared_types` is what that code
-- declares, `types` what its lanes read: no type is ever dropped unless a person accepted it (accepted_by).
create table factline.consumer_generations (
  consumer_id    integer not null,
  generation     integer not null,
  types          text[] not null,
  declared_types text[] not null,
  key_version    integer not null,
  lanes          integer not null,
  barrier        bigint not null,
  accepted_by    text,
  accepted_because text,
  registered_at  timestamptz not null default factline.clock(),
  constraint consumer_generations_pkey primary key (consumer_id, generation),
  constraint consumer_generations_lanes check (lanes between 1 and 1024),
  constraint consumer_generations_barrier check (barrier >= 0)
);

-- One row per running process; `beat` counts up every two seconds. `server_started_at` is the server's start as this
-- process last saw it: after a restart of the server a missing session lock proves no death. `declared` maps consumer
-- ids to { generation, covers }: what this code declares, and the generations whose every type it has code for.
create table factline.processes (
  id             bigint generated always as identity,
  app            text not null,
  incarnation    uuid not null,
  host           text not null,
  pid            integer not null,
  code_version   text not null,
  beat           bigint not null default 0,
  direct_session boolean not null,
  server_started_at timestamptz,
  declared       jsonb not null default '{}',
  code           jsonb not null default '{}',
  started_at     timestamptz not null default factline.clock(),
  beaten_at      timestamptz not null default factline.clock(),
  constraint processes_pkey primary key (id),
  constraint processes_incarnation unique (incarnation)
) with (fillfactor = 50);

-- Written only by takeover, release and the start of a new generation; every fenced commit takes its row FOR SHARE
-- where token = mine and stop_at >= the position that it works on. stop_at is the barrier of the next generation, so
-- that a process which has not heard of it cannot pass it (2^53 - 1: none; it fits a JavaScript number).
create table factline.lanes (
  consumer_id integer not null,
  lane        integer not null,
  generation  integer not null,
  token       bigint not null default 0,
  owner       bigint,
  stop_at     bigint not null default 9007199254740991,
  released    boolean not null default true,
  taken_at    timestamptz,
  released_at timestamptz,
  constraint lanes_pkey primary key (consumer_id, lane),
  constraint lanes_lane check (lane >= 0),
  constraint lanes_token check (token >= 0)
) with (fillfactor = 70);

create table factline.checkpoints (
  consumer_id    integer not null,
  lane           integer not null,
  position       bigint not null,
  dispatch_limit bigint not null,
  moved_at       timestamptz not null default factline.clock(),
  -- How often a projection's lane was taken from a dead process since its checkpoint last moved.
  dead_owners    integer not null default 0,
  constraint checkpoints_pkey primary key (consumer_id, lane),
  constraint checkpoints_position check (position >= 0),
  constraint checkpoints_dispatch_limit check (dispatch_limit >= 0)
) with (fillfactor = 50);

create table factline.inbox (
  consumer_id integer not null,
  replay_id   bigint not null default 0,
  key_hash    integer not null,
  position    bigint not null,
  handled_at  timestamptz not null default factline.clock(),
  constraint inbox_pkey primary key (consumer_id, replay_id, position)
);

-- ── Failure: one place for retry and quarantine ──────────────────────────────────────────────────
create table factline.parked (
  id          bigint generated always as identity,
  consumer_id integer not null,
  replay_id   bigint not null default 0,
  key         text not null,
  key_hash    integer not null,
  position    bigint not null,
  state       text not null,
  reason      text not null,
  next_at     timestamptz,
  parked_at   timestamptz not null default factline.clock(),
  constraint parked_pkey primary key (consumer_id, replay_id, key, position),
  constraint parked_state check (state in ('running', 'retrying', 'waiting', 'quarantined')),
  constraint parked_next_at check ((state = 'retrying') = (next_at is not null))
);
create unique index parked_id on factline.parked (id);
create index parked_position on factline.parked (consumer_id, replay_id, position);
create index parked_due on factline.parked (consumer_id, next_at) where state = 'retrying';
create index parked_quarantined on factline.parked (consumer_id, position) where state = 'quarantined';

-- What is known of a parked event, once per event however many keys it has.
create table factline.parked_events (
  consumer_id      integer not null,
  replay_id        bigint not null default 0,
  position         bigint not null,
  attempts         integer not null default 0,
  killed_attempts  integer not null default 0,
  incarnation      uuid,
  kills            jsonb not null default '[]',
  failure_class    text,
  error_code       text,
  error_message    text,
  error_stack      text,
  error_causes     jsonb,
  fingerprint      text,
  history          jsonb not null default '[]',
  event_id         uuid,
  event_type       text,
  contract_version text,
  code_version     text,
  traceparent      text,
  envelope         jsonb,
  first_failed_at  timestamptz,
  last_failed_at   timestamptz,
  constraint parked_events_pkey primary key (consumer_id, replay_id, position),
  constraint parked_events_attempts check (attempts >= 0 and killed_attempts >= 0)
);

-- Wishes of the command line and the console; the lane's owner carries them out.
create table factline.requests (
  id           bigint generated always as identity,
  consumer_id  integer not null,
  verb         text not null,
  parked_id    bigint,
  arguments    jsonb not null default '{}',
  actor        text not null,
  reason       text,
  state        text not null default 'open',
  answer       jsonb,
  requested_at timestamptz not null default factline.clock(),
  answered_at  timestamptz,
  constraint requests_pkey primary key (id),
  constraint requests_state check (state in ('open', 'done', 'refused')),
  constraint requests_answered check ((state = 'open') = (answered_at is null))
);
create index requests_open on factline.requests (consumer_id, id) where state = 'open';

create table factline.effects (
  consumer_id     integer not null,
  replay_id       bigint not null default 0,
  event_id        uuid not null,
  name            text not null,
  idempotency_key text not null,
  state           text not null,
  token           bigint not null,
  result          jsonb,
  started_at      timestamptz not null default factline.clock(),
  done_at         timestamptz,
  constraint effects_pkey primary key (consumer_id, replay_id, event_id, name),
  constraint effects_state check (state in ('started', 'done')),
  constraint effects_done check ((state = 'done') = (done_at is not null))
);

create table factline.breakers (
  consumer_id  integer not null,
  state        text not null,
  kind         text not null,
  fingerprint  text,
  reason       text not null,
  actor        text,
  code_version text not null,
  opened_at    timestamptz not null default factline.clock(),
  probe_at     timestamptz,
  probing      bigint,
  constraint breakers_pkey primary key (consumer_id),
  constraint breakers_state check (state in ('closed', 'open')),
  constraint breakers_kind check (kind in ('transient', 'bug', 'person'))
);

create table factline.breaker_samples (
  consumer_id  integer not null,
  process_id   bigint not null,
  slice        timestamptz not null,
  fingerprint  text not null default '',
  handled_keys integer not null default 0,
  failed_keys  integer not null default 0,
  constraint breaker_samples_pkey primary key (consumer_id, process_id, slice, fingerprint)
);

create table factline.rate_limits (
  consumer_id integer not null,
  next_at     timestamptz not null default factline.clock(),
  constraint rate_limits_pkey primary key (consumer_id)
) with (fillfactor = 50);

-- ── Promises ─────────────────────────────────────────────────────────────────────────────────────
-- How each consumer kept its promise, a row an hour, sampled about once a minute by any running process. The error budget
-- is reckoned from the last thirty days; older rows go.
create table factline.objective_hours (
  consumer_id integer not null,
  hour        timestamptz not null,
  events      bigint not null,
  late        bigint not null,
  quarantined bigint not null,
  sampled_to  bigint not null,
  sampled_at  timestamptz not null,
  constraint objective_hours_pkey primary key (consumer_id, hour),
  constraint objective_hours_late check (late between 0 and events)
);

-- ── Partitions of the log ────────────────────────────────────────────────────────────────────────
-- Ten million positions a leaf (src/log/partitions.ts knows the number, too). Creating ahead never takes more than
-- ShareUpdateExclusive on the root: the leaf is made alone, with its bound as a CHECK, then attached (LOG.md §8), beside
-- open publishers and readers. Four, so that three are still ahead while the log grows into the first of them.
-- SECURITY DEFINER: any process creates ahead, also one whose role may only insert. Its work is bounded for every argument.
create function factline.create_partitions_ahead(ahead integer default 4) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  leaf_size constant bigint := 10000000;
  head bigint := coalesce(pg_sequence_last_value(pg_get_serial_sequence('factline.events', 'position')::regclass), 0);
  leaf bigint;
  made integer := 0;
  leaf_name text;
begin
  perform pg_advisory_xact_lock(hashtext('factline.create_partitions_ahead'));
  for leaf in select generate_series(head / leaf_size, head / leaf_size + least(greatest(ahead, 1), 16)) loop
    leaf_name := format('events_p%s', leaf);
    continue when to_regclass('factline.' || leaf_name) is not null;
    execute format('create table factline.%I (like factline.events including all excluding identity, constraint %I check (position >= %s and position < %s))',
      leaf_name, leaf_name || '_range', leaf * leaf_size, (leaf + 1) * leaf_size);
    execute format('alter table factline.events attach partition factline.%I for values from (%s) to (%s)',
      leaf_name, leaf * leaf_size, (leaf + 1) * leaf_size);
    execute format('alter table factline.%I drop constraint %I', leaf_name, leaf_name || '_range');
    made := made + 1;
  end loop;
  return made;
end $$;

insert into factline.log_meta (system_identifier, timeline)
  select s.system_identifier::text, c.timeline_id from pg_control_system() s, pg_control_checkpoint() c;
insert into factline.log_mark default values;
select factline.create_partitions_ahead();
