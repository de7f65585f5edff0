-- How workflows stand, for verdicts. Every statement is bounded, however many instances there are.

-- name: count_instances
-- $1 versions (consumers), $2 at most so many of each state. Reads the index alone: workflow_instances_by_state.
select v.id, s.state, c.count
  from unnest($1::integer[]) as v (id)
 cross join unnest(array['queued', 'running', 'waiting', 'compensating', 'stuck']) as s (state)
 cross join lateral (
   select count(*) as count
     from (select from factline.workflow_instances i
            where i.consumer_id = v.id and i.state = s.state
            limit $2) l) c
 where c.count > 0

-- name: oldest_stuck
-- $1 versions, $2 rows that are looked at of each, which is more than anybody leaves stuck.
select v.id, extract(epoch from factline.clock() - s.changed_at) * 1000 as age_ms
  from unnest($1::integer[]) as v (id)
 cross join lateral (
   select min(i.changed_at) as changed_at
     from (select w.changed_at from factline.workflow_instances w
            where w.consumer_id = v.id and w.state = 'stuck'
            limit $2) i) s
 where s.changed_at is not null

-- name: due_instances
-- $1 versions [{id, lanes}], $2 rows that are looked at of each, in the order in which they are due: workflow_instances_due. By lane: the oldest
-- that nobody works at, and when anything changed in that lane. A process works at what it holds while it beats.
with clock as materialized (
  select factline.clock() as now
), version as (
  select v.id, v.lanes from json_to_recordset($1::text::json) as v (id integer, lanes integer)
)
select v.id, d.lane, d.due, d.instance, d.looked,
       extract(epoch from clock.now - d.due_at) * 1000 as age_ms,
       extract(epoch from clock.now - d.changed_at) * 1000 as idle_ms
  from version v
 cross join clock
 cross join lateral (
   select t.lane, count(*) filter (where not t.worked) as due, min(t.due_at) filter (where not t.worked) as due_at,
          (array_agg(t.id order by t.due_at) filter (where not t.worked))[1] as instance,
          max(t.changed_at) as changed_at, sum(count(*)) over () as looked
     from (
       select i.id, i.due_at, i.changed_at, (i.key_hash::bigint & 4294967295) % v.lanes as lane,
              i.held and exists (
                select from factline.lanes l join factline.processes p on p.id = l.owner
                 where l.consumer_id = v.id and l.lane = (i.key_hash::bigint & 4294967295) % v.lanes
                   and p.beaten_at > clock.now - interval '12 seconds') as worked
         from (select w.id, w.due_at, w.changed_at, w.key_hash, w.held
                 from factline.workflow_instances w
                where w.consumer_id = v.id and w.due_at <= clock.now
                order by w.due_at
                limit $2) i) t
    group by t.lane) d
 where d.due > 0
 order by v.id, d.due_at
