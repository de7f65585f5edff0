-- Starting instances. Each statement takes ONE text parameter, so that every driver can carry it (a start in the user's own transaction).

-- part: given_input
-- null is an input as well, which reads like none here.
       coalesce(g.input, case when g."hasInput" then 'null'::jsonb end),

-- part: instance_columns
insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, started_by, start_position,
                                         cause, code_version, due_at, held, forked_from)
select w.id, x.id, g.version, g.key, g."keyHash", 'running',
-- include: given_input
       g."startedBy",
       coalesce(g."startPosition", pg_sequence_last_value('factline.events_position_seq'::regclass), 0),
       coalesce(g.cause, '{}'), g."codeVersion", factline.clock(), g.held, g."forkedFrom"

-- part: given_starts
json_to_recordset($1::text::json) as g (workflow text, executor text, version integer, key text, "keyHash" integer, input jsonb, "hasInput" boolean,
         "startedBy" bigint, "startPosition" bigint, cause jsonb, "codeVersion" text, held boolean, "forkedFrom" bigint)
  join factline.consumers w on w.name = g.workflow and w.state <> 'retired'
  join factline.consumers x on x.name = g.executor and x.state <> 'retired'

-- part: answered
on conflict do nothing
returning id, workflow_id, consumer_id, start_position, key,
  (select w.name from factline.consumers w where w.id = workflow_id) as name

-- name: start_instance
-- $1: [{workflow, executor, version, key, keyHash, input, startedBy, startPosition, cause, codeVersion, held, forkedFrom}]. No row: an
-- instance of this key lives, or this event has started one. Without a start position it is the log's end. Served by
-- consumers_name_build, workflow_instances_live and workflow_instances_started_by.
-- include: instance_columns
  from
-- include: given_starts
-- include: answered

-- name: start_instances
-- As start_instance, for many at once. 55P03: a transaction that has not ended starts one of these keys as well; the others must not
-- wait for it.
with patience as materialized (
  select set_config('lock_timeout', '100ms', true)
)
-- include: instance_columns
  from patience cross join
-- include: given_starts
 order by w.id, g.key
-- include: answered

-- name: start_one
-- As start_instances, for one, whose parameters need not be read out of JSON: $1 workflow, $2 executor, $3 version, $4 key, $5 the key's hash,
-- $6 input, $7 cause, $8 code version, $9 held.
with patience as materialized (
  select set_config('lock_timeout', '100ms', true)
)
insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, start_position, cause, code_version,
                                         due_at, held)
select w.id, x.id, $3::integer, $4::text, $5::integer, 'running', $6::jsonb,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0), $7::jsonb, $8::text, factline.clock(), $9::boolean
  from patience cross join factline.consumers w cross join factline.consumers x
 where w.name = $1::text and w.state <> 'retired' and x.name = $2::text and x.state <> 'retired'
on conflict do nothing
returning id, workflow_id, consumer_id, start_position

-- name: queue_instance
-- As start_instance, for an instance that begins when those of its key before it have ended. It is due at once: whoever looks at
-- it decides whether it may begin.
insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, started_by, start_position,
                                         cause, code_version, due_at)
select w.id, x.id, g.version, g.key, g."keyHash", 'queued',
-- include: given_input
       g."startedBy",
       coalesce(g."startPosition", pg_sequence_last_value('factline.events_position_seq'::regclass), 0),
       coalesce(g.cause, '{}'), g."codeVersion", factline.clock()
  from json_to_record($1::text::json) as g (workflow text, executor text, version integer, key text, "keyHash" integer, input jsonb, "hasInput" boolean,
         "startedBy" bigint, "startPosition" bigint, cause jsonb, "codeVersion" text)
  join factline.consumers w on w.name = g.workflow and w.state <> 'retired'
  join factline.consumers x on x.name = g.executor and x.state <> 'retired'
on conflict do nothing
returning id, workflow_id, consumer_id, start_position

-- name: find_duplicate
-- Why an instance was not started: $1 {workflow, key, startedBy}. `living`: the instance of this key; `started`: the one that this
-- event has started before. Both null: the living one has ended meanwhile.
select (select i.id from factline.workflow_instances i
         where i.workflow_id = w.id and i.started_by = g."startedBy") as started,
       (select i.id from factline.workflow_instances i
         where i.workflow_id = w.id and i.key = g.key and i.state in ('running', 'waiting', 'compensating', 'stuck')) as living,
       w.id as workflow_id
  from json_to_record($1::text::json) as g (workflow text, key text, "startedBy" bigint)
  join factline.consumers w on w.name = g.workflow and w.state <> 'retired'

-- name: note_rejected
-- $1 {id, by}: what was rejected is seen with the living instance.
update factline.workflow_instances i
   set rejected_starts = rejected_starts + 1, last_rejected = g.by || jsonb_build_object('at', factline.clock())
  from json_to_record($1::text::json) as g (id bigint, by jsonb)
 where i.id = g.id

-- name: find_started
-- Which of these ($1) are committed, and whose they are. Served by workflow_instances_pkey.
select i.id, i.consumer_id from factline.workflow_instances i where i.id = any ($1::bigint[])

-- name: tell_owners
-- Owners in other processes look. Never in a transaction that writes: commits with a notification wait for one another.
select pg_notify('factline_requests', $1::text)
