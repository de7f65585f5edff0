-- The log as people look at it.

-- name: last_events
-- $1 up to (settled), $2 types or null, $3 key or null, $4 rows, $5 rows looked at. events_pkey backwards.
select w.* from (
  select e.position, e.id, e.type, e.source, e.key, e.data, e.meta, e.time, e.recorded_at
    from factline.events e
   where e.position <= $1
   order by e.position desc
   limit $5) w
 where ($2::text[] is null or w.type = any ($2::text[])) and ($3::text is null or w.key = $3)
 limit $4

-- name: find_by_position
select e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, e.time, e.recorded_at
  from factline.events e where e.position = $1

-- name: find_by_id
-- $1 id, $2 after, $3 up to: no index leads by id, so the caller walks the log in spans, from the newest on.
select e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, e.time, e.recorded_at
  from factline.events e where e.position > $2 and e.position <= $3 and e.id = $1
 limit 1

-- name: find_caused
-- $1 after, $2 up to, $3 the id of the cause, $4 rows. No index leads by cause: what an event led to lies close behind it.
select e.position, e.id, e.type, e.source, e.recorded_at
  from factline.events e
 where e.position > $1 and e.position <= $2 and e.meta ->> 'causationId' = $3
 order by e.position
 limit $4

-- name: deliveries
-- $1 positions, $2 their types. What every consumer of its type has done with each event; served by the primary keys.
select w.position, c.name as consumer, c.class, c.build, c.state, c.ordering, c.start_position,
       (select json_agg(k.position order by k.lane) from factline.checkpoints k where k.consumer_id = c.id) as checkpoints,
       i.handled_at, p.id as parked_id, p.state as parked_state, f.error_message as reason
  from unnest($1::bigint[], $2::text[]) as w (position, type)
  join factline.consumers c on c.state <> 'retired' and w.type = any (c.types)
  left join factline.inbox i on i.consumer_id = c.id and i.replay_id = 0 and i.position = w.position
  left join lateral (
    select p.id, p.state from factline.parked p
     where p.consumer_id = c.id and p.replay_id = 0 and p.position = w.position
     order by p.id limit 1) p on true
  left join factline.parked_events f on f.consumer_id = c.id and f.replay_id = 0 and f.position = w.position
 order by w.position, c.name, c.build
