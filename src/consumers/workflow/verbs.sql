-- What people do to instances; the owner of the lane carries it out on what is not in memory. Each act leaves a row in
-- workflow_repairs, in the statement that lets the instance go on. $1 instance, $2 lane, $3 token; $4 actor and $5 reason
-- where it does.

-- name: read_target
-- $1 instance, $2 the executor's consumer: as it stands.
select i.id, i.key, i.key_hash, i.state, i.ending, i.stuck, i.input, i.input is not null as has_input, i.workflow_id, i.version, i.start_position,
       (select coalesce(json_agg(json_build_object(
          'undo', j.undo, 'ordinal', j.ordinal, 'kind', j.kind, 'name', j.name, 'state', j.state, 'attempts', j.attempts,
          'completion', j.completion, 'value', j.value, 'hasValue', j.value is not null, 'error', j.error) order by j.undo, j.ordinal), '[]')
          from factline.workflow_journal j where j.instance_id = i.id) as journal
  from factline.workflow_instances i where i.id = $1::bigint and i.consumer_id = $2::integer

-- name: end_instance
-- $6 the failure, $7 failed or cancelled, $8 detail, $9 whether everything that began is on record: what it did is taken back. One that
-- never began just ends. One that a process died with is marked, since nothing tells which of its steps began.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
), changed as (
  update factline.workflow_instances i
     set state = case when i.state = 'queued' then $7::text else 'compensating' end, ending = $7::text, stuck = null,
         calls = case when i.state = 'stuck' then 0 else i.calls end,
         failure = $6::jsonb || case when i.held and not $9::boolean then '{"unsettled": true}' else '{}' end::jsonb,
         due_at = case when i.state = 'queued' then null else factline.clock() end, held = false, changed_at = factline.clock(),
         ended_at = case when i.state = 'queued' then factline.clock() end
    from fence
   where i.id = $1::bigint and (i.state in ('queued', 'running', 'waiting') or i.state = 'stuck' and i.ending is null)
  returning i.id
), closed as (
  delete from factline.workflow_waits w using changed c where w.instance_id = c.id
)
insert into factline.workflow_repairs (instance_id, verb, actor, reason, detail)
select c.id, case when $7::text = 'cancelled' then 'cancel' else 'compensate' end, $4, $5, $8::jsonb from changed c
returning id

-- name: skip_undos
-- $4 [{ordinal, name}]: the undos of these steps need not run, $5 the evidence. A step in doubt may have no row of its own.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
)
insert into factline.workflow_journal as j (instance_id, undo, ordinal, kind, name, state, value, began_at, ended_at)
select $1::bigint, true, s.ordinal, 'step', s.name, 'skipped', $5::jsonb, factline.clock(), factline.clock()
  from json_to_recordset($4::text::json) as s (ordinal integer, name text), fence
on conflict (instance_id, undo, ordinal) do update set state = 'skipped', value = excluded.value, due_at = null, ended_at = excluded.ended_at
  where j.state in ('pending', 'failed')
returning j.ordinal

-- name: resume_instance
-- A stuck one goes on: $6 the verb, $7 detail. Undos that failed are tried anew, waits look again from the beginning; what the journal
-- holds now is what it holds.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
), changed as (
  update factline.workflow_instances i
     set state = case when i.ending is null then 'running' else 'compensating' end, stuck = null, calls = 0, deaths = 0, kills = '[]',
         due_at = factline.clock(), changed_at = factline.clock()
    from fence where i.id = $1::bigint and i.state in ('stuck', 'waiting', 'compensating')
  returning i.id
), undos as (
  update factline.workflow_journal j set state = 'pending', attempts = 0, due_at = factline.clock()
    from changed c where j.instance_id = c.id and j.undo and j.state in ('failed', 'pending')
), waits as (
  update factline.workflow_waits w set after_position = i.start_position
    from changed c join factline.workflow_instances i on i.id = c.id where w.instance_id = c.id
), steps as (
  update factline.workflow_journal j set due_at = factline.clock()
    from changed c where j.instance_id = c.id and not j.undo and j.state = 'pending' and j.kind in ('step', 'transaction')
)
insert into factline.workflow_repairs (instance_id, verb, actor, reason, detail)
select c.id, $6, $4, $5, $7::jsonb from changed c
returning id

-- name: settle_step
-- $4 ordinal, $5 its result (evidence says that it happened): the function gets it as the next one.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
)
update factline.workflow_journal j
   set state = 'skipped', value = $5::jsonb, due_at = null, ended_at = factline.clock(),
       completion = 1 + coalesce((select max(o.completion) from factline.workflow_journal o where o.instance_id = $1::bigint and not o.undo), 0)
  from fence
 where j.instance_id = $1::bigint and not j.undo and j.ordinal = $4::integer and j.state = 'pending'
returning j.ordinal

-- name: patch_step
-- $6 ordinal, $7 the new result, $8 the one that was seen.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
), changed as (
  update factline.workflow_journal j set value = $7::jsonb from fence
   where j.instance_id = $1::bigint and not j.undo and j.ordinal = $6::integer and j.state in ('done', 'skipped')
     and j.kind in ('step', 'transaction') and j.value is not distinct from $8::jsonb
  returning j.name
)
insert into factline.workflow_repairs (instance_id, verb, actor, reason, detail)
select $1::bigint, 'patch', $4, $5, jsonb_build_object('step', c.name, 'before', $8::jsonb, 'after', $7::jsonb) from changed c
returning id

-- name: patch_input
-- $6 the new input, $7 the one that was seen.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
), changed as (
  update factline.workflow_instances i set input = $6::jsonb from fence
   where i.id = $1::bigint and i.ended_at is null and i.input is not distinct from $7::jsonb
  returning i.id
)
insert into factline.workflow_repairs (instance_id, verb, actor, reason, detail)
select $1::bigint, 'patch', $4, $5, jsonb_build_object('input', true, 'before', $7::jsonb, 'after', $6::jsonb) from changed c
returning id

-- name: fork_instance
-- $6 the ordinals that the new one begins with, $7 its key, $8 its key's hash. No row: an instance of that key lives.
with fence as materialized (
  select l.consumer_id from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
), forked as (
  insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, start_position, cause,
                                           code_version, due_at, forked_from)
  select i.workflow_id, i.consumer_id, i.version, $7::text, $8::integer, 'running', i.input, i.start_position, i.cause, i.code_version,
         factline.clock(), i.id
    from factline.workflow_instances i, fence where i.id = $1::bigint
  on conflict do nothing
  returning id
), copied as (
  insert into factline.workflow_journal (instance_id, undo, ordinal, kind, name, state, attempts, completion, value, error, began_at, ended_at)
  select f.id, false, j.ordinal, j.kind, j.name, j.state, j.attempts, j.completion, j.value, j.error, j.began_at, j.ended_at
    from factline.workflow_journal j, forked f
   where j.instance_id = $1::bigint and not j.undo and j.ordinal = any ($6::integer[])
)
insert into factline.workflow_repairs (instance_id, verb, actor, reason, detail)
select $1::bigint, 'fork', $4, $5, jsonb_build_object('fork', f.id) from forked f
returning (detail ->> 'fork')::bigint as fork
