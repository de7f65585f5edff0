-- Events that are really in the log, and who has handled them. No index leads by type: each statement walks events_pkey over a
-- span of positions that the caller bounds.

-- name: sample_span
-- $1 after (exclusive), $2 up to, $3 types, $4 newest events of each producer version, $5 of each source of a type. The log does not
-- say which release wrote an event; its type, its source and the members of its payload tell versions apart. Ranked by narrow
-- rows; the events are then read by their positions.
with seen as materialized (
  select e.position, e.type, e.source,
         array(select m from jsonb_object_keys(case jsonb_typeof(e.data) when 'object' then e.data else '{}' end) m order by m) as members
    from factline.events e
   where e.position > $1 and e.position <= $2 and e.type = any ($3::text[])
), ranked as materialized (
  select s.position, s.members,
         row_number() over (partition by s.type, s.source, s.members order by s.position desc) as of_version,
         row_number() over (partition by s.type, s.source order by s.position desc) as of_source
    from seen s
)
select e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data::text, e.meta::text, e.time, e.recorded_at, r.members
  from ranked r
  join factline.events e on e.position = r.position
 where r.of_version <= $4 and r.of_source <= $5
 order by e.position desc

-- name: sample_parked
-- $1 types, $2 rows looked at: the newest parked ones (parked_id backwards), each event once, with who has parked it and as what:
-- no failure class where it only waits.
with newest as materialized (
  select p.id, p.consumer_id, p.position from factline.parked p where p.replay_id = 0 order by p.id desc limit $2
), parked as materialized (
  select n.position, json_agg(json_build_object('id', n.id, 'consumer', c.name, 'failureClass', f.failure_class) order by n.id) as parked
    from newest n
    join factline.consumers c on c.id = n.consumer_id
    left join factline.parked_events f on f.consumer_id = n.consumer_id and f.replay_id = 0 and f.position = n.position
   group by n.position
)
select e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data::text, e.meta::text, e.time, e.recorded_at,
       array(select m from jsonb_object_keys(case jsonb_typeof(e.data) when 'object' then e.data else '{}' end) m order by m) as members,
       p.parked
  from parked p
  join factline.events e on e.position = p.position
 where e.type = any ($1::text[])
 order by e.position desc

-- name: handled_types
-- $1 after (exclusive), $2 up to, $3 types, $4 newest events of each type that are looked at. What each consumer that reads a type
-- has done with them: handled is what lies below its lane's checkpoint, or stands in the inbox, and is not parked. What came
-- before the consumer read the type does not count. Under ordering 'none' SQL can't tell the lane: its lowest checkpoint counts.
with recent as materialized (
  select r.position, r.type, r.key_hash
    from (select e.position, e.type, e.key_hash, row_number() over (partition by e.type order by e.position desc) as newest
            from factline.events e
           where e.position > $1 and e.position <= $2 and e.type = any ($3::text[])) r
   where r.newest <= $4
), reader as materialized (
  select c.id, c.name, w.type, k.checkpoints, k.lowest, c.ordering,
         coalesce((select min(g.barrier) from factline.consumer_generations g
                    where g.consumer_id = c.id and w.type = any (g.types)), c.start_position) as begins
    from factline.consumers c
   cross join unnest($3::text[]) as w (type)
   cross join lateral (select array_agg(k.position order by k.lane) as checkpoints, min(k.position) as lowest
                         from factline.checkpoints k where k.consumer_id = c.id) k
   where c.state = 'live' and w.type = any (c.types)
), judged as (
  select d.name, d.type, r.position is not null as there,
         (r.position <= case when d.ordering = 'none' then d.lowest else d.checkpoints[1 + case cardinality(d.checkpoints) when 1 then 0
             else (r.key_hash::bigint & 4294967295) % cardinality(d.checkpoints) end] end
           or (select true from factline.inbox i where i.consumer_id = d.id and i.replay_id = 0 and i.position = r.position) is true)
         and (select true from factline.parked p
               where p.consumer_id = d.id and p.replay_id = 0 and p.position = r.position limit 1) is null as handled
    from reader d left join recent r on r.type = d.type and r.position > d.begins
)
select j.name as consumer, j.type, (count(*) filter (where j.there and j.handled))::int as handled,
       (count(*) filter (where j.there and not j.handled))::int as waiting
  from judged j
 group by j.name, j.type
 order by j.name, j.type
