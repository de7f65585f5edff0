-- Triage of the quarantine: groups of like failures, what people decide about them, and the record of it.

-- What the apps say of their events, so that commands which know only the database can name an owner, hide what is
-- sensitive and refuse edits of what must not be edited.
create table factline.contract_terms (
  app          text not null,
  type         text not null,
  owner        text not null,
  key          text[] not null,
  sensitivity  jsonb not null default '{}',
  editable     text[] not null default '{}',
  code_version text not null,
  declared_at  timestamptz not null default factline.clock(),
  constraint contract_terms_pkey primary key (app, type)
);

-- Failures that look alike at events of one contract, by consumer. Made and counted by the statement that parks, in the
-- order of the unique key, so that processes which park side by side wait for one another and never in a circle.
create table factline.quarantine_groups (
  id                 bigint generated always as identity,
  consumer_id        integer not null,
  fingerprint        text not null,
  event_type         text not null,
  error_code         text not null,
  error_message      text not null,
  place              text,
  disposition        text not null,
  -- How often an event was quarantined with it, ever.
  failures           bigint not null default 0,
  -- The deploy that introduced it, and the latest that had it.
  first_code_version text,
  last_code_version  text,
  first_seen_at      timestamptz not null,
  last_seen_at       timestamptz not null,
  assigned_to        text,
  assigned_at        timestamptz,
  snoozed_until      timestamptz,
  -- What the detector saw last: alerts are raised by whoever moves these on.
  watched_at         timestamptz,
  watched_keys       bigint not null default 0,
  growing            boolean not null default false,
  escalation         integer not null default 0,
  constraint quarantine_groups_pkey primary key (id),
  constraint quarantine_groups_failure unique (consumer_id, fingerprint, event_type),
  constraint quarantine_groups_disposition check (disposition in ('schema', 'authorisation', 'timeout', 'dependency', 'invariant', 'poison')),
  constraint quarantine_groups_assigned check ((assigned_to is null) = (assigned_at is null)),
  constraint quarantine_groups_escalation check (escalation between 0 and 4)
) with (fillfactor = 50);

-- The group of the failure that quarantined it; kept while it is tried again.
alter table factline.parked add column group_id bigint;
create index parked_group on factline.parked (group_id, position) where state = 'quarantined';

-- The payload that a person put in place of the logged one, which stays as it is.
alter table factline.parked_events add column edited jsonb;

create table factline.quarantine_notes (
  id       bigint generated always as identity,
  group_id bigint not null,
  author   text not null,
  text     text not null,
  noted_at timestamptz not null default factline.clock(),
  constraint quarantine_notes_pkey primary key (id),
  constraint quarantine_notes_text check (octet_length(text) between 1 and 16000)
);
create index quarantine_notes_group on factline.quarantine_notes (group_id, id);

-- ── Releases: the state machine is in src/operations/triage/release-state.ts ─────────────────────
create table factline.quarantine_releases (
  id           bigint generated always as identity,
  group_id     bigint not null,
  consumer_id  integer not null,
  state        text not null,
  actor        text not null,
  reason       text,
  -- Events a second at most; failures of the rest after which nothing more is sent.
  rate         double precision not null,
  stop_after   integer not null,
  canary       integer not null,
  -- The selection is frozen: so many events, and the digest of their numbers and positions in order.
  selected     integer not null,
  digest       text not null,
  next_send_at timestamptz not null default factline.clock(),
  outcome      text,
  created_at   timestamptz not null default factline.clock(),
  ended_at     timestamptz,
  constraint quarantine_releases_pkey primary key (id),
  constraint quarantine_releases_state check (state in ('canary', 'releasing', 'done', 'stopped', 'cancelled')),
  constraint quarantine_releases_ended check ((state in ('canary', 'releasing')) = (ended_at is null)),
  constraint quarantine_releases_rate check (rate > 0),
  constraint quarantine_releases_selected check (selected > 0 and canary between 0 and selected and stop_after > 0)
);
-- One release of a group at a time.
create unique index quarantine_releases_active on factline.quarantine_releases (group_id) where state in ('canary', 'releasing');

create table factline.quarantine_release_items (
  release_id bigint not null,
  ordinal    integer not null,
  parked_id  bigint not null,
  position   bigint not null,
  key        text not null,
  key_hash   integer not null,
  phase      text not null,
  state      text not null default 'selected',
  -- The wish that carried it to the owner of its lane.
  request_id bigint,
  sent_at    timestamptz,
  ended_at   timestamptz,
  failure    text,
  constraint quarantine_release_items_pkey primary key (release_id, ordinal),
  constraint quarantine_release_items_phase check (phase in ('canary', 'rest')),
  constraint quarantine_release_items_state check (state in ('selected', 'sent', 'handled', 'failed', 'gone'))
) with (fillfactor = 80);
create index quarantine_release_items_state on factline.quarantine_release_items (release_id, phase, state, ordinal);
create index quarantine_release_items_sent on factline.quarantine_release_items (release_id) where state = 'sent';
create index quarantine_release_items_parked on factline.quarantine_release_items (parked_id);

-- Every edit, with what it changed. The current payload stands in parked_events until the event is handled; this stays.
create table factline.quarantine_edits (
  id          bigint generated always as identity,
  consumer_id integer not null,
  parked_id   bigint not null,
  position    bigint not null,
  patch       jsonb not null,
  changes     jsonb not null,
  actor       text not null,
  reason      text not null,
  edited_at   timestamptz not null default factline.clock(),
  constraint quarantine_edits_pkey primary key (id)
);
create index quarantine_edits_parked on factline.quarantine_edits (parked_id, id);

-- What was discarded, under the number that people know it by, until it is restored: with all that was known of the failure.
create table factline.quarantine_discards (
  parked_id     bigint not null,
  consumer_id   integer not null,
  position      bigint not null,
  -- [{ key, keyHash }]: a projection's event may have stood in several keys.
  keys          jsonb not null,
  group_id      bigint,
  -- How many events waited behind it: they were handled since.
  followers     integer not null,
  record        jsonb,
  actor         text not null,
  reason        text not null,
  discarded_at  timestamptz not null default factline.clock(),
  restore_until timestamptz not null default factline.clock() + interval '7 days',
  restored_at   timestamptz,
  constraint quarantine_discards_pkey primary key (parked_id)
);
create index quarantine_discards_event on factline.quarantine_discards (consumer_id, position) where restored_at is null;

-- What the detector found, in order; whoever delivers alerts reads on from the number it had.
create table factline.quarantine_alerts (
  id        bigint generated always as identity,
  group_id  bigint not null,
  kind      text not null,
  level     integer not null,
  facts     jsonb not null,
  raised_at timestamptz not null default factline.clock(),
  constraint quarantine_alerts_pkey primary key (id),
  constraint quarantine_alerts_kind check (kind in ('age', 'growth'))
);

-- What is in quarantine already gets its groups. Where it failed is not known of these.
insert into factline.quarantine_groups (consumer_id, fingerprint, event_type, error_code, error_message, disposition, failures,
  first_code_version, last_code_version, first_seen_at, last_seen_at)
select p.consumer_id, e.fingerprint, e.event_type, min(e.error_code), min(left(e.error_message, 500)),
  min(case e.failure_class when 'schema' then 'schema' when 'transient' then 'dependency' when 'permanent' then 'invariant' else 'poison' end),
  count(distinct p.position), min(e.code_version), max(e.code_version), min(e.first_failed_at), max(e.last_failed_at)
from factline.parked p
join factline.parked_events e on e.consumer_id = p.consumer_id and e.replay_id = p.replay_id and e.position = p.position
where p.state = 'quarantined' and e.fingerprint is not null and e.event_type is not null
group by p.consumer_id, e.fingerprint, e.event_type;

update factline.parked p set group_id = g.id
from factline.parked_events e, factline.quarantine_groups g
where p.state = 'quarantined' and e.consumer_id = p.consumer_id and e.replay_id = p.replay_id and e.position = p.position
  and g.consumer_id = p.consumer_id and g.fingerprint = e.fingerprint and g.event_type = e.event_type;
