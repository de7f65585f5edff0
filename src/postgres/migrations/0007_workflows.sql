-- Durable workflows (src/consumers/workflow). A workflow is two kinds of consumers: the router (a row of `consumers` under its
-- name) starts instances and fills the mailbox; one executor per version (a row NAME@VERSION) runs the instances of its lanes.

-- One run of a workflow's function. `due_at`: when its owner is to look at it next (a running instance is always due; null: not
-- until somebody says so). `held`: a process has it in memory, or had when it died. `start_position`: events up to here came
-- before it. `ending`: what a compensating instance will be. `kills`: the
-- processes that began it as a suspect; `deaths`: how many of them that ended.
create table factline.workflow_instances (
  id              bigint generated always as identity,
  workflow_id     integer not null,
  consumer_id     integer not null,
  version         integer not null,
  key             text not null,
  key_hash        integer not null,
  state           text not null,
  ending          text,
  input           jsonb,
  started_by      bigint,
  start_position  bigint not null,
  cause           jsonb not null default '{}',
  result          jsonb,
  failure         jsonb,
  stuck           jsonb,
  due_at          timestamptz,
  held            boolean not null default false,
  deaths          integer not null default 0,
  kills           jsonb not null default '[]',
  code_version    text,
  forked_from     bigint,
  rejected_starts integer not null default 0,
  last_rejected   jsonb,
  started_at      timestamptz not null default factline.clock(),
  changed_at      timestamptz not null default factline.clock(),
  ended_at        timestamptz,
  constraint workflow_instances_pkey primary key (id),
  constraint workflow_instances_state check
    (state in ('queued', 'running', 'waiting', 'compensating', 'stuck', 'completed', 'failed', 'cancelled')),
  constraint workflow_instances_ending check (ending in ('failed', 'cancelled')),
  constraint workflow_instances_ended check ((ended_at is not null) = (state in ('completed', 'failed', 'cancelled'))),
  constraint workflow_instances_stuck check ((state = 'stuck') = (stuck is not null)),
  constraint workflow_instances_key check (octet_length(key) between 1 and 1200),
  constraint workflow_instances_counts check (deaths >= 0 and rejected_starts >= 0)
) with (fillfactor = 70);
-- One lives per key; those that wait for its end are `queued`.
create unique index workflow_instances_live on factline.workflow_instances (workflow_id, key)
  where state in ('running', 'waiting', 'compensating', 'stuck');
-- A start event starts once, whoever routes it.
create unique index workflow_instances_started_by on factline.workflow_instances (workflow_id, started_by)
  where started_by is not null;
create index workflow_instances_due on factline.workflow_instances (consumer_id, due_at) where due_at is not null;
create index workflow_instances_queued on factline.workflow_instances (workflow_id, key, id) where state = 'queued';
create index workflow_instances_oldest on factline.workflow_instances (workflow_id, start_position) where ended_at is null;
create index workflow_instances_need_a_person on factline.workflow_instances (workflow_id, id) where state = 'stuck';

-- What an instance has done. `ordinal`: the place of the call in the code; `completion`: the place of its result among the results
-- that the function got. A row with `undo` is the compensation of the step at that ordinal.
create table factline.workflow_journal (
  instance_id bigint not null,
  undo        boolean not null default false,
  ordinal     integer not null,
  kind        text not null,
  name        text not null,
  state       text not null,
  attempts    integer not null default 0,
  completion  integer,
  value       jsonb,
  error       jsonb,
  due_at      timestamptz,
  began_at    timestamptz,
  ended_at    timestamptz,
  constraint workflow_journal_pkey primary key (instance_id, undo, ordinal),
  constraint workflow_journal_kind check
    (kind in ('step', 'transaction', 'sleep', 'wait', 'publish', 'send', 'now', 'random', 'uuid')),
  constraint workflow_journal_state check (state in ('pending', 'done', 'failed', 'skipped')),
  constraint workflow_journal_ordinal check (ordinal >= 0),
  constraint workflow_journal_attempts check (attempts >= 0)
);
create index workflow_journal_due on factline.workflow_journal (instance_id, due_at) where state = 'pending' and due_at is not null;

-- The waits that are open, for the router to find whom an event wakes. `after_position`: what the instance has seen already.
create table factline.workflow_waits (
  instance_id    bigint not null,
  ordinal        integer not null,
  workflow_id    integer not null,
  type           text not null,
  key            text not null,
  after_position bigint not null,
  constraint workflow_waits_pkey primary key (instance_id, ordinal)
);
create index workflow_waits_wanted on factline.workflow_waits (workflow_id, type, key);

-- Events that instances may wait for, by the value of their key; they go when no living instance began before them.
create table factline.workflow_mailbox (
  workflow_id integer not null,
  type        text not null,
  key         text not null,
  position    bigint not null,
  constraint workflow_mailbox_pkey primary key (workflow_id, type, key, position)
);
create index workflow_mailbox_position on factline.workflow_mailbox (workflow_id, position);

-- What people did to instances: who, why, and what changed.
create table factline.workflow_repairs (
  id          bigint generated always as identity,
  instance_id bigint not null,
  verb        text not null,
  actor       text not null,
  reason      text,
  detail      jsonb not null default '{}',
  done_at     timestamptz not null default factline.clock(),
  constraint workflow_repairs_pkey primary key (id),
  constraint workflow_repairs_verb check (verb in ('cancel', 'retry', 'skip', 'compensate', 'patch', 'fork'))
);
create index workflow_repairs_instance on factline.workflow_repairs (instance_id, id);
