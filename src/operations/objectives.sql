-- The error budget: how many of a consumer's events came late or failed, over thirty days, and by the minute.

-- name: forget_future
-- After the clock was put back: what was sampled "later" must not keep the next samples from being taken.
with minutes as (
  delete from factline.objective_minutes where sampled_at > factline.clock() + interval '5 seconds'
)
update factline.objective_hours set sampled_at = factline.clock() - interval '1 minute'
 where sampled_at > factline.clock() + interval '5 seconds'

-- name: sample
-- $1 consumers [{id, types, head, late, known, lagMs, unhandled, behind}], $2 rows of the log that are counted at most, $3 milliseconds that one
-- sample may speak for. Called about once a minute by every running process; the first one in a minute counts, the others change
-- nothing: their row fails the last condition.
-- An event counts as late when the consumer was behind its promise at the end of the minute in which it was written.
with measured as materialized (
  select m.* from json_to_recordset($1::text::json)
    as m (id integer, types text[], head bigint, late boolean, known boolean, "lagMs" double precision, unhandled bigint, behind bigint)
), forgotten as (
  delete from factline.objective_hours where hour < factline.clock() - interval '31 days'
), forgotten_minutes as (
  delete from factline.objective_minutes where sampled_at < factline.clock() - interval '7 hours'
), seen as materialized (
  select m.*, l.sampled_to, l.sampled_at
    from measured m
    left join lateral (
      select h.sampled_to, h.sampled_at from factline.objective_hours h
       where h.consumer_id = m.id order by h.sampled_at desc, h.hour desc limit 1) l on true
   where l.sampled_at is null or l.sampled_at < factline.clock() - interval '45 seconds'
), counted as materialized (
  select s.id, s.head, s.late and s.known as late, s."lagMs", s.unhandled, s.behind,
         case when s.known and s.sampled_at is not null
              then least(extract(epoch from factline.clock() - s.sampled_at) * 1000, $3::double precision)::integer else 0 end as covered_ms,
         case when s.known then (select count(*) from (
            select e.type from factline.events e
             where e.position > s.sampled_to and e.position <= s.head
             order by e.position limit $2) e
           where e.type = any (s.types)) else 0 end as events,
         case when s.known then (select count(*) from factline.parked_events f
           where f.consumer_id = s.id and f.replay_id = 0 and f.last_failed_at > s.sampled_at
             and exists (select from factline.parked p
                          where p.consumer_id = s.id and p.replay_id = 0 and p.position = f.position
                            and p.state = 'quarantined')) else 0 end as quarantined
    from seen s
), written as (
  insert into factline.objective_hours as o (consumer_id, hour, events, late, quarantined, sampled_to, sampled_at, covered_ms)
  select id, date_trunc('hour', factline.clock()), events, case when late then events else 0 end, quarantined, head,
         factline.clock(), covered_ms
    from counted
  on conflict (consumer_id, hour) do update
     set events = o.events + excluded.events, late = o.late + excluded.late,
         quarantined = o.quarantined + excluded.quarantined, covered_ms = o.covered_ms + excluded.covered_ms,
         sampled_to = excluded.sampled_to, sampled_at = excluded.sampled_at
   where o.sampled_at < excluded.sampled_at - interval '45 seconds'
  returning o.consumer_id, o.sampled_at
), by_minute as (
  insert into factline.objective_minutes (consumer_id, sampled_at, covered_ms, events, late, quarantined, lag_ms, unhandled, behind)
  select c.id, w.sampled_at, c.covered_ms, c.events, case when c.late then c.events else 0 end, c.quarantined, c."lagMs"::bigint,
         c.unhandled, c.behind
    from written w join counted c on c.id = w.consumer_id
  on conflict do nothing
)
select c.id, c.events, case when c.late then c.events else 0 end + c.quarantined as failed
  from written w join counted c on c.id = w.consumer_id

-- name: note_jump
-- $1 milliseconds, $2 the end of the log. Several processes notice the same one.
with forgotten as (
  delete from factline.clock_jumps where noticed_at < factline.clock() - interval '31 days'
)
insert into factline.clock_jumps (by_ms, head)
select $1::bigint, $2::bigint
 where not exists (select from factline.clock_jumps j
                    where j.noticed_at > factline.clock() - interval '1 minute' and j.noticed_at <= factline.clock()
                      and abs(j.by_ms - $1::bigint) < 60000)
