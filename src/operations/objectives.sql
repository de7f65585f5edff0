-- The error budget: how many of a consumer's events came late or failed, over thirty days.

-- name: sample
-- $1 consumers [{id, types, head, late}], $2 rows of the log that are counted at most. Called about once a minute by every
-- running process; the first one in a minute counts, the others change nothing: their row fails the last condition.
-- An event counts as late when the consumer was behind its promise at the end of the minute in which it was written.
with measured as materialized (
  select m.* from json_to_recordset($1::text::json) as m (id integer, types text[], head bigint, late boolean)
), forgotten as (
  delete from factline.objective_hours where hour < factline.clock() - interval '31 days'
), seen as materialized (
  select m.*, l.sampled_to, l.sampled_at
    from measured m
    left join lateral (
      select h.sampled_to, h.sampled_at from factline.objective_hours h
       where h.consumer_id = m.id order by h.hour desc limit 1) l on true
   where l.sampled_at is null or l.sampled_at < factline.clock() - interval '45 seconds'
), counted as (
  select s.id, s.head, s.late,
         (select count(*) from (
            select e.type from factline.events e
             where e.position > s.sampled_to and e.position <= s.head
             order by e.position limit $2) e
           where e.type = any (s.types)) as events,
         (select count(*) from factline.parked_events f
           where f.consumer_id = s.id and f.replay_id = 0 and f.last_failed_at > s.sampled_at
             and exists (select from factline.parked p
                          where p.consumer_id = s.id and p.replay_id = 0 and p.position = f.position
                            and p.state = 'quarantined')) as quarantined
    from seen s
)
insert into factline.objective_hours as o (consumer_id, hour, events, late, quarantined, sampled_to, sampled_at)
select id, date_trunc('hour', factline.clock()), events, case when late then events else 0 end, quarantined, head,
       factline.clock()
  from counted
on conflict (consumer_id, hour) do update
   set events = o.events + excluded.events, late = o.late + excluded.late,
       quarantined = o.quarantined + excluded.quarantined,
       sampled_to = excluded.sampled_to, sampled_at = excluded.sampled_at
 where o.sampled_at < excluded.sampled_at - interval '45 seconds'
returning o.consumer_id
