-- Promises by the minute, the alerts made of them, and pauses of types and keys.

-- ── Samples ──────────────────────────────────────────────────────────────────────────────────────
-- One row a sample (about a minute) and consumer, for seven hours: what the shorter windows of burn rates, and slopes across
-- restarts, are made of. The longer windows are made of objective_hours.
create table factline.objective_minutes (
  consumer_id integer not null,
  sampled_at  timestamptz not null,
  -- The time that it speaks for. What came before, after a gap, nobody looked at.
  covered_ms  integer not null,
  events      bigint not null,
  late        bigint not null,
  quarantined bigint not null,
  -- How the consumer stood at its end: unhandled events where they could be counted, and positions behind the head.
  lag_ms      bigint not null,
  unhandled   bigint,
  behind      bigint not null,
  constraint objective_minutes_pkey primary key (consumer_id, sampled_at),
  constraint objective_minutes_late check (late between 0 and events)
);
-- What older releases sample counts as not covered.
alter table factline.objective_hours add column covered_ms bigint not null default 0;

-- The database's clock moved otherwise than a process's monotonic one: ages of what was written before are wrong.
create table factline.clock_jumps (
  id         bigint generated always as identity,
  noticed_at timestamptz not null default factline.clock(),
  by_ms      bigint not null,
  -- The end of the log then.
  head       bigint not null,
  constraint clock_jumps_pkey primary key (id)
);

-- Apps that send probes: an event every ten seconds that goes the whole way, so that also a system in which nothing happens is known
-- to work.
create table factline.probes (
  app     text not null,
  sent_at timestamptz not null,
  -- When one last came through, and how long it took.
  seen_at timestamptz not null,
  took_ms double precision,
  constraint probes_pkey primary key (app)
) with (fillfactor = 50);

-- ── Alerts ───────────────────────────────────────────────────────────────────────────────────────
-- One row from the first sign to the end. The states and what follows from what: src/operations/alerts/alert-state.ts.
create table factline.alerts (
  id          bigint generated always as identity,
  app         text not null,
  -- class:consumer:fingerprint. One open alert has it; when it is met again after its end, that is another alert.
  dedup_key   text not null,
  class       text not null,
  consumer    text not null,
  severity    text not null,
  state       text not null,
  -- Raised while it fires (a further level of on-call): then it is told again.
  level       integer not null default 1,
  summary     text not null,
  facts       jsonb not null default '{}',
  met_at      timestamptz not null default factline.clock(),
  fired_at    timestamptz,
  clear_since timestamptz,
  resolved_at timestamptz,
  constraint alerts_pkey primary key (id),
  constraint alerts_state check (state in ('pending', 'firing', 'resolved')),
  constraint alerts_severity check (severity in ('page', 'ticket')),
  constraint alerts_fired check ((state = 'pending') = (fired_at is null)),
  constraint alerts_resolved check ((state = 'resolved') = (resolved_at is not null))
) with (fillfactor = 70);
create unique index alerts_open on factline.alerts (app, dedup_key) where state <> 'resolved';
create index alerts_resolved_at on factline.alerts (app, resolved_at) where state = 'resolved';

-- Whose turn it is to evaluate: one process of an app at a time, also after another one's death.
create table factline.alert_evaluations (
  app          text not null,
  evaluated_at timestamptz not null,
  constraint alert_evaluations_pkey primary key (app)
) with (fillfactor = 50);

-- Which alert carries what the detector of the quarantine found; null: none yet. What was found before alerts existed is 0.
alter table factline.quarantine_alerts add column alert_id bigint;
update factline.quarantine_alerts set alert_id = 0;
create index quarantine_alerts_open on factline.quarantine_alerts (id) where alert_id is null;

-- Who is told, as the running code has it. What was over before a receiver was added is not told to it.
create table factline.alert_receivers (
  app      text not null,
  name     text not null,
  kind     text not null,
  added_at timestamptz not null default factline.clock(),
  used_at  timestamptz not null default factline.clock(),
  constraint alert_receivers_pkey primary key (app, name),
  constraint alert_receivers_kind check (kind in ('webhook', 'slack', 'email'))
) with (fillfactor = 50);

-- What each receiver was told of an alert, or will be told by a message that is on its way.
create table factline.alert_told (
  alert_id bigint not null,
  receiver text not null,
  state    text not null,
  level    integer not null,
  told_at  timestamptz not null default factline.clock(),
  constraint alert_told_pkey primary key (alert_id, receiver),
  constraint alert_told_state check (state in ('firing', 'resolved'))
) with (fillfactor = 70);

-- One message to one receiver about alerts of one class; it waits, unchanged, until the receiver has taken it.
create table factline.alert_messages (
  id            bigint generated always as identity,
  app           text not null,
  receiver      text not null,
  class         text not null,
  body          jsonb not null,
  state         text not null default 'waiting',
  attempts      integer not null default 0,
  next_at       timestamptz not null default factline.clock(),
  claimed_until timestamptz,
  last_error    text,
  made_at       timestamptz not null default factline.clock(),
  delivered_at  timestamptz,
  constraint alert_messages_pkey primary key (id),
  constraint alert_messages_state check (state in ('waiting', 'delivered')),
  constraint alert_messages_delivered check ((state = 'delivered') = (delivered_at is not null))
) with (fillfactor = 70);
-- While one waits, what happens meanwhile is gathered for the next: a receiver that comes back is not flooded.
create unique index alert_messages_waiting on factline.alert_messages (app, receiver, class) where state = 'waiting';
create index alert_messages_latest on factline.alert_messages (app, receiver, class, made_at);

-- ── Pauses ───────────────────────────────────────────────────────────────────────────────────────
-- When a paused consumer goes on by itself; null: when a person lets it.
alter table factline.consumers add column paused_until timestamptz;

-- Types and keys that a consumer leaves waiting; other keys flow.
create table factline.pauses (
  consumer_id  integer not null,
  scope        text not null,
  value        text not null,
  reason       text not null,
  actor        text not null,
  paused_at    timestamptz not null default factline.clock(),
  paused_until timestamptz,
  constraint pauses_pkey primary key (consumer_id, scope, value),
  constraint pauses_scope check (scope in ('type', 'key'))
);

-- ── System events ────────────────────────────────────────────────────────────────────────────────
-- Factline's own facts, written in the transaction that makes them true, for apps that switched them on; a chore publishes them
-- as events (src/operations/system-events) and takes them out in one transaction.
create table factline.system_event_apps (
  app text not null,
  constraint system_event_apps_pkey primary key (app)
);
create table factline.system_facts (
  id    bigint generated always as identity,
  app   text not null,
  kind  text not null,
  facts jsonb not null,
  constraint system_facts_pkey primary key (app, id)
);

create function factline.note_fact(of_app text, of_kind text, of_facts jsonb) returns void language sql as $$
  insert into factline.system_facts (app, kind, facts)
  select a.app, of_kind, of_facts || jsonb_build_object('at', factline.clock())
    from factline.system_event_apps a where a.app = of_app
$$;

create function factline.note_pause() returns trigger language plpgsql as $$
begin
  perform factline.note_fact(new.app, case when new.paused_at is null then 'consumer.resumed' else 'consumer.paused' end,
    jsonb_build_object('consumer', new.name, 'part', null, 'reason', new.paused_reason, 'by', new.paused_by, 'until', new.paused_until));
  return null;
end $$;
create trigger consumers_paused after update of paused_at on factline.consumers
  for each row when ((old.paused_at is null) <> (new.paused_at is null)) execute function factline.note_pause();

create function factline.note_part_pause() returns trigger language plpgsql as $$
declare
  part factline.pauses;
begin
  if tg_op = 'DELETE' then part := old; else part := new; end if;
  perform factline.note_fact(c.app, case when tg_op = 'DELETE' then 'consumer.resumed' else 'consumer.paused' end,
    jsonb_build_object('consumer', c.name, 'part', part.scope || ' ' || part.value, 'reason', part.reason, 'by', part.actor,
                       'until', part.paused_until))
    from factline.consumers c where c.id = part.consumer_id;
  return null;
end $$;
create trigger pauses_changed after insert or delete on factline.pauses
  for each row execute function factline.note_part_pause();

-- Of what fails at a system event nothing is told: its consumer would fail at that as well, and so on for ever.
create function factline.note_quarantine() returns trigger language plpgsql as $$
declare
  entered boolean := false;
  spot factline.parked;
begin
  if tg_op = 'DELETE' then
    spot := old;
  else
    spot := new;
    entered := new.state = 'quarantined';
  end if;
  if exists (select from factline.system_event_apps) then
    perform factline.note_fact(c.app, case when entered then 'key.quarantined' else 'key.released' end,
      jsonb_build_object('consumer', c.name, 'number', spot.id, 'key', spot.key, 'position', spot.position, 'type', e.type))
      from factline.consumers c left join factline.events e on e.position = spot.position
     where c.id = spot.consumer_id and e.type not like 'factline.%';
  end if;
  return null;
end $$;
create trigger parked_quarantined after insert on factline.parked
  for each row when (new.state = 'quarantined' and new.replay_id = 0) execute function factline.note_quarantine();
create trigger parked_moved after update of state on factline.parked
  for each row when (old.state <> new.state and 'quarantined' in (old.state, new.state) and new.replay_id = 0)
  execute function factline.note_quarantine();
create trigger parked_gone after delete on factline.parked
  for each row when (old.state = 'quarantined' and old.replay_id = 0) execute function factline.note_quarantine();

create function factline.note_replay() returns trigger language plpgsql as $$
begin
  perform factline.note_fact(new.app, 'replay.finished',
    jsonb_build_object('replay', new.id, 'consumer', new.consumer, 'state', new.state));
  return null;
end $$;
create trigger replays_finished after update of state on factline.replays
  for each row when (old.state <> new.state and new.state in ('done', 'done_with_failures', 'aborted', 'failed', 'rejected', 'expired'))
  execute function factline.note_replay();

create function factline.note_alert() returns trigger language plpgsql as $$
begin
  perform factline.note_fact(new.app, case new.state when 'firing' then 'alert.fired' else 'alert.resolved' end,
    jsonb_build_object('alert', new.id, 'key', new.dedup_key, 'class', new.class, 'consumer', new.consumer,
                       'severity', new.severity, 'level', new.level, 'summary', new.summary))
   where not exists (select from factline.consumers c
                      where c.app = new.app and c.name = new.consumer and c.state = 'live'
                        and not exists (select from unnest(c.types) t where t not like 'factline.%'));
  return null;
end $$;
create trigger alerts_begun after insert on factline.alerts
  for each row when (new.state = 'firing') execute function factline.note_alert();
create trigger alerts_moved after update of state on factline.alerts
  for each row when (old.state <> new.state) execute function factline.note_alert();
