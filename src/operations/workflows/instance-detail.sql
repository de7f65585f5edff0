-- Everything about one instance. What people see is bounded: a long journal is read from its end, a large value not at all.

-- name: read_instance
-- $1 the number, $2 bytes of a value that is shown.
select i.id,
       i.input,
       case when pg_column_size(i.result) <= $2 and length(i.result::text) <= $2 then i.result end as result,
       coalesce(pg_column_size(i.result) > $2 or length(i.result::text) > $2, false) as result_too_large,
       i.failure, i.stuck, i.cause, i.last_rejected,
       p.id as process, p.host, p.pid
  from factline.workflow_instances i
  left join lateral (select count(*) as count from factline.lanes n where n.consumer_id = i.consumer_id) lanes on true
  left join factline.lanes l on i.held and l.consumer_id = i.consumer_id
        and l.lane = (i.key_hash::bigint & 4294967295) % nullif(lanes.count, 0)
  left join factline.processes p on p.id = l.owner
 where i.id = $1

-- name: read_calls
-- $1 the instance, $2 bytes of a value that is shown, $3 calls: the last ones. workflow_journal_pkey backwards.
select j.undo, j.ordinal, j.kind, j.name, j.state, j.attempts, j.completion,
       case when pg_column_size(j.value) <= $2 and length(j.value::text) <= $2 then j.value end as value,
       coalesce(pg_column_size(j.value) > $2 or length(j.value::text) > $2, false) as value_too_large,
       j.error, j.due_at, j.began_at, j.ended_at, w.type as wait_type, w.key as wait_key
  from (select * from factline.workflow_journal n
         where n.instance_id = $1 and not n.undo
         order by n.ordinal desc
         limit $3) j
  left join factline.workflow_waits w on w.instance_id = $1 and w.ordinal = j.ordinal
 order by j.ordinal

-- name: read_undos
-- $1 the instance, $2 rows. In the order in which they run: the last step's first.
select j.undo, j.ordinal, j.kind, j.name, j.state, j.attempts, j.completion, null as value, false as value_too_large,
       j.error, j.due_at, j.began_at, j.ended_at, null as wait_type, null as wait_key
  from factline.workflow_journal j
 where j.instance_id = $1 and j.undo
 order by j.ordinal desc
 limit $2

-- name: read_repairs
-- $1 the instance.
select p.id, p.verb, p.actor, p.reason, p.detail, p.done_at
  from factline.workflow_repairs p
 where p.instance_id = $1
 order by p.id

-- name: open_requests
-- $1 the version's consumer, $2 the instance: what was asked for and is not carried out yet. requests_open.
select r.id, r.verb, r.actor, r.reason, r.requested_at
  from factline.requests r
 where r.state = 'open' and r.consumer_id = $1 and r.arguments ->> 'instance' = $2::bigint::text
 order by r.id

-- name: read_journal
-- $1 the instance, $2 after this ordinal, $3 rows: the whole journal, in lots.
select j.undo, j.ordinal, j.kind, j.name, j.state, j.attempts, j.completion, j.value, j.value is not null as has_value, j.error
  from factline.workflow_journal j
 where j.instance_id = $1 and not j.undo and j.ordinal > $2
 order by j.ordinal
 limit $3

-- name: read_head
-- $1 the instance: what a run of its function begins with.
select r.name as workflow, i.version, i.key, i.state, i.ending, i.input, i.input is not null as has_input
  from factline.workflow_instances i
  join factline.consumers r on r.id = i.workflow_id
 where i.id = $1

-- name: read_result
-- $1 the instance, $2 the name of a step.
select j.value from factline.workflow_journal j
 where j.instance_id = $1 and not j.undo and j.kind in ('step', 'transaction') and j.name = $2

-- name: failing_step
-- $1 the instance, $2 the name of a step: whether it is being tried again, or its undo is, or has failed.
select 1 as failing from factline.workflow_journal j
 where j.instance_id = $1 and j.name = $2 and j.kind in ('step', 'transaction')
   and (j.state = 'pending' or j.undo and j.state = 'failed')
 limit 1

-- name: sample_living
-- $1 versions, $2 rows: of each version and state as many of the newest and of the oldest, walked as in instances_by_state.
select i.id
  from unnest($1::integer[]) as v (id)
 cross join unnest(array['running', 'waiting', 'compensating', 'stuck']) as s (state)
 cross join lateral (
   (select w.consumer_id, w.state, w.id from factline.workflow_instances w
     where (w.consumer_id, w.state, w.id) < (v.id, s.state, 9223372036854775807)
     order by w.consumer_id desc, w.state desc, w.id desc limit $2)
   union
   (select w.consumer_id, w.state, w.id from factline.workflow_instances w
     where (w.consumer_id, w.state, w.id) > (v.id, s.state, 0::bigint)
     order by w.consumer_id, w.state, w.id limit $2)) i
 where i.consumer_id = v.id and i.state = s.state
 order by i.id
