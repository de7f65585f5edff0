-- Instances of workflows as people look for them. Every statement reads at most a page of each state, key or version.

-- name: read_workflows
-- Every workflow that is stored, with its versions: the router is a row NAME, each version a row NAME@VERSION.
select r.id, r.app, r.name,
       coalesce((select json_agg(json_build_object('id', v.id, 'version', split_part(v.name, '@', 2)::integer)
                                 order by split_part(v.name, '@', 2)::integer)
                   from factline.consumers v
                  where v.class = 'workflow' and v.app = r.app and strpos(v.name, '@') > 0
                    and split_part(v.name, '@', 1) = r.name), '[]'::json) as versions
  from factline.consumers r
 where r.class = 'workflow' and strpos(r.name, '@') = 0
 order by r.name, r.app

-- name: first_since
-- $1 a time. The first number that was given then or later. Numbers grow with time: a binary search over the primary key.
with recursive halves (low, high) as (
  select 0::bigint, coalesce((select max(id) from factline.workflow_instances), 0) + 1
  union all
  select case when m.started_at < $1 then m.id + 1 else h.low end,
         case when m.started_at < $1 then h.high else h.middle end
    from (select low, high, (low + high) / 2 as middle from halves where low < high) h
   cross join lateral (
     select i.id, i.started_at from factline.workflow_instances i where i.id >= h.middle order by i.id limit 1) m
)
select min(high) as id from halves

-- name: instances_by_state
-- $1 versions (consumers), $2 states, $3 below this number, $4 from this number on, $5 rows. A page of each version and state,
-- newest first. Start and order are those of workflow_instances_by_state as a whole: with `state = …` and an order by the number
-- alone the planner may walk the primary key instead, past everything in another state. What follows the state in the index is
-- left out after the limit: before PostgreSQL 18 a second row comparison does not end the walk.
select i.id
  from unnest($1::integer[]) as v (id)
 cross join unnest($2::text[]) as s (state)
 cross join lateral (
   select w.consumer_id, w.state, w.id from factline.workflow_instances w
    where (w.consumer_id, w.state, w.id) < (v.id, s.state, $3::bigint)
    order by w.consumer_id desc, w.state desc, w.id desc
    limit $5) i
 where i.consumer_id = v.id and i.state = s.state and i.id >= $4::bigint
 order by i.id desc
 limit $5

-- name: instances_of_key
-- $1 workflows, $2 key, $3 below this number, $4 from this number on, $5 rows, $6 states. Served by workflow_instances_live,
-- workflow_instances_queued and workflow_instances_ended_of_key.
select i.id
  from unnest($1::integer[]) as r (id)
 cross join lateral (
   select w.id, w.state from factline.workflow_instances w
    where w.workflow_id = r.id and w.key = $2 and w.state in ('running', 'waiting', 'compensating', 'stuck')
   union all
   (select w.id, w.state from factline.workflow_instances w
     where w.workflow_id = r.id and w.key = $2 and w.state = 'queued' and w.id < $3 and w.id >= $4
     order by w.id desc limit $5)
   union all
   (select w.id, w.state from factline.workflow_instances w
     where w.workflow_id = r.id and w.key = $2 and w.ended_at is not null and w.state = any ($6::text[])
       and w.id < $3 and w.id >= $4
     order by w.id desc limit $5)) i
 where i.id < $3 and i.id >= $4 and i.state = any ($6::text[])
 order by i.id desc
 limit $5

-- name: read_summaries
-- $1 numbers. The last call is that of the code; undos are not counted.
select i.id, r.app, r.name as workflow, i.version, i.consumer_id, v.name as executor, i.key, i.state, i.ending, i.stuck, i.failure, i.held, i.deaths,
       i.started_by, e.type as started_by_type, i.forked_from, i.code_version,
       i.rejected_starts, i.due_at, i.started_at, i.changed_at, i.ended_at,
       last.kind as last_kind, last.name as last_name, last.state as last_state, last.attempts as last_attempts
  from factline.workflow_instances i
  join factline.consumers r on r.id = i.workflow_id
  join factline.consumers v on v.id = i.consumer_id
  left join factline.events e on e.position = i.started_by
  left join lateral (
    select j.kind, j.name, j.state, j.attempts from factline.workflow_journal j
     where j.instance_id = i.id and not j.undo
     order by j.ordinal desc
     limit 1) last on true
 where i.id = any ($1::bigint[])
 order by i.id desc

-- name: read_received
-- $1 numbers, $2 whether all waits are meant. The events that instances have got: what started them, or the one they were forked
-- from; and what they waited for, else only of those with a problem, which may quote it.
select i.id, -1 as ordinal, i.input as event
  from factline.workflow_instances i
 where i.id = any ($1::bigint[]) and jsonb_typeof(i.input -> 'type') = 'string' and i.input ? 'data' and i.input ? 'position'
union all
select i.id, j.ordinal, j.value
  from factline.workflow_instances i
  join factline.workflow_journal j on j.instance_id = i.id
 where i.id = any ($1::bigint[]) and ($2 or i.failure is not null or i.stuck is not null)
   and j.kind = 'wait' and jsonb_typeof(j.value -> 'type') = 'string' and j.value ? 'data'
 order by 1, 2
