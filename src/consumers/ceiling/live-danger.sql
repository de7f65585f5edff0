-- How close live consumers are to breaking their promises.

-- name: live_danger
-- $1 rows of the log that are looked at for each, $2 the promise of who made none, in milliseconds. One row: the consumer that
-- is worst off among those that somebody works (a paused one is not hurt by others). Walks events_pkey upwards from the lowest
-- checkpoint, as operations/measuring.sql does; where nothing unhandled is among so many rows, the last of them stands for
-- what may lie behind it. The lane of an event under ordering 'none' follows from its id, which SQL cannot hash: there the
-- lowest checkpoint counts, behind which the others' events are soon handled.
select s.name, s.promised_ms, s.age_ms from (
  select c.name, coalesce(c.handled_within_ms, $2::bigint) as promised_ms,
         extract(epoch from factline.clock() - coalesce(w.unhandled_at, case when w.scanned = $1 then w.last_at end)) * 1000 as age_ms
    from factline.consumers c
   cross join lateral (
    select array_agg(k.position order by k.lane) as positions, min(k.position) as lowest
      from factline.checkpoints k where k.consumer_id = c.id) p
   cross join lateral (
    select count(*) as scanned, max(e.recorded_at) as last_at, min(e.recorded_at) filter (where e.unhandled) as unhandled_at
      from (
        select r.recorded_at,
               r.type = any (c.types)
                 and (c.ordering = 'none' or r.position > p.positions[1 + case cardinality(p.positions) when 1 then 0
                       else (r.key_hash::bigint & 4294967295) % cardinality(p.positions) end])
                 and (select true from factline.inbox i
                       where i.consumer_id = c.id and i.replay_id = 0 and i.position = r.position) is null
                 and (select true from factline.parked q
                       where q.consumer_id = c.id and q.replay_id = 0 and q.position = r.position limit 1) is null
                 as unhandled
          from (
            select position, type, key_hash, recorded_at from factline.events
             where position > p.lowest order by position limit $1) r) e) w
   where c.state = 'live' and c.paused_at is null
     and not exists (select from factline.breakers b where b.consumer_id = c.id and b.state = 'open')
     and exists (select from factline.lanes l where l.consumer_id = c.id and l.owner is not null)) s
 where s.age_ms is not null
 order by s.age_ms / s.promised_ms desc
 limit 1
