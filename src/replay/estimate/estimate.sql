-- What a replay would touch. Bounded: a frozen selection has at most 100,000 rows, the log is looked at in a window.

-- name: profile_types
-- $1 replay, $2 freeze, $3 the consumer's start. Served by replay_selection_pkey and events_pkey.
select e.type, count(*) as count, sum(pg_column_size(e.data))::bigint as bytes, min(e.recorded_at) as first, max(e.recorded_at) as last,
       count(*) filter (where e.position <= $3) as before_start
  from factline.replay_selection s join factline.events e on e.position = s.position
 where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null group by e.type order by count(*) desc, e.type

-- name: profile_keys
-- $1 replay, $2 freeze, $3 rows: the hottest, and how many keys there are.
select e.key, count(*) as count, count(*) over () as keys
  from factline.replay_selection s join factline.events e on e.position = s.position
 where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null group by e.key order by count(*) desc, e.key limit $3

-- name: profile_followers
-- $1 replay, $2 freeze, $3 consumer: what waits behind selected events that are in quarantine.
select count(*) as count from factline.parked w
 where w.consumer_id = $3 and w.replay_id = 0 and w.state <> 'quarantined'
   and exists (select from factline.parked p join factline.replay_selection s on s.position = p.position
                where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null
                  and p.consumer_id = $3 and p.replay_id = 0 and p.key = w.key and p.position < w.position)

-- name: window_keys
-- $1 after, $2 up to, $3 types, $4 rows: of a window of the log.
select e.key, count(*) as count, count(*) over () as keys
  from factline.events e where e.position > $1 and e.position <= $2 and e.type = any ($3::text[])
 group by e.key order by count(*) desc, e.key limit $4

-- name: recorded_between
-- $1, $2: when the first and the last event of a range were recorded.
select (select e.recorded_at from factline.events e where e.position >= $1 order by e.position limit 1) as first,
       (select e.recorded_at from factline.events e where e.position <= $2 order by e.position desc limit 1) as last

-- name: recent_handled
-- $1 consumer, $2 types, $3 after, $4 rows: the latest events that all lanes have passed.
select e.id::text as id, e.position from factline.events e
 where e.position > $3 and e.position <= (select min(k.position) from factline.checkpoints k where k.consumer_id = $1)
   and e.type = any ($2::text[])
 order by e.position desc limit $4

-- name: caused_by
-- $1 after, $2 up to, $3 ids: what was published while those events were handled.
select e.id::text as id, e.type, e.meta ->> 'causationId' as cause from factline.events e
 where e.position > $1 and e.position <= $2 and e.meta ->> 'causationId' = any ($3::text[])

-- name: effects_of
-- $1 consumer, $2 ids.
select x.name, x.event_id::text as event_id, x.state from factline.effects x
 where x.consumer_id = $1 and x.replay_id = 0 and x.event_id = any ($2::uuid[])

-- name: recorded_effects
-- $1 replay, $2 freeze, $3 consumer: of the selected events. Served by effects_pkey.
select x.name, count(*) filter (where x.state = 'done') as done, count(*) filter (where x.state = 'started') as unknown
  from factline.replay_selection s
  join factline.events e on e.position = s.position
  join factline.effects x on x.consumer_id = $3 and x.replay_id = 0 and x.event_id = e.id
 where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null group by x.name order by x.name

-- name: readers_of
-- $1 types, $2 without this consumer.
select c.name, c.types, c.handled_within_ms from factline.consumers c
 where c.state = 'live' and c.types && $1::text[] and c.id <> $2 order by c.name

-- name: sample_positions
-- $1 replay, $2 freeze, $3 how many of each type at most, $4 in all. Spread over the selection by a hash of the position.
select t.position from (
  select s.position, row_number() over (partition by e.type order by hashint8(s.position)) as place
    from factline.replay_selection s join factline.events e on e.position = s.position
   where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null) t
 where t.place <= $3 order by t.place, t.position limit $4

-- name: finish_estimate
-- $1 replay, $2 freeze, $3 ceiling, $4 selected, between $5 and $6 (null: counted), $7 excluded, $8 digest, $9 log epoch, $10 estimate, $11 hours
-- it holds.
update factline.replays
   set ceiling = $3, selected = $4, selected_low = $5, selected_high = $6, excluded = $7, digest = $8, log_epoch = $9::uuid,
       estimate = $10::text::jsonb, frozen_at = factline.clock(), expires_at = factline.clock() + make_interval(hours => $11::integer)
 where id = $1 and freeze_number = $2 and state = 'estimating'
returning id
