-- Events that may take the process down. $1 is the consumer.

-- name: begin_suspect
-- $2 lane, $3 token, $4 key, $5 key hash, $6 position, $7 this process's incarnation, $8 event id, $9 type, $10 deaths at most, $11 replay: records that this
-- process begins the event, before its handler runs. An earlier attempt counts as a death when its incarnation was not this one and
-- never beat again after it had been found dead; the beat at which that was is noted once. No attempt is recorded, and
-- `deaths` says why, when there are too many already.
with fence as materialized (
  select 1 from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $6::bigint
  for share
), earlier as materialized (
  select coalesce(jsonb_agg(case when k.kill ? 'beat' then k.kill
      else k.kill || jsonb_build_object('beat', (select p.beat from factline.processes p where p.incarnation::text = k.kill->>'incarnation')) end
      order by k.ordinal), '[]') as kills
  from factline.parked_events e, jsonb_array_elements(e.kills) with ordinality as k (kill, ordinal)
  where e.consumer_id = $1::integer and e.replay_id = $11::bigint and e.position = $6::bigint
), dead as materialized (
  select count(*)::integer as deaths from earlier, jsonb_array_elements(earlier.kills) as k (kill)
  where k.kill->>'incarnation' <> $7::text
    and not exists (select from factline.processes p
      where p.incarnation::text = k.kill->>'incarnation' and p.beat > coalesce((k.kill->>'beat')::bigint, p.beat))
), go as materialized (
  select earlier.kills || jsonb_build_array(jsonb_build_object('incarnation', $7::text)) as kills, dead.deaths
  from fence, earlier, dead where dead.deaths < $10::integer
), known as (
  insert into factline.parked_events as e (consumer_id, replay_id, position, killed_attempts, incarnation, kills, event_id, event_type)
  select $1::integer, $11::bigint, $6::bigint, go.deaths + 1, $7::uuid, go.kills, $8::uuid, $9::text from go
  on conflict (consumer_id, replay_id, position) do update
    set killed_attempts = excluded.killed_attempts, incarnation = excluded.incarnation, kills = excluded.kills
  returning 1
), marked as (
  insert into factline.parked as p (consumer_id, replay_id, key, key_hash, position, state, reason)
  select $1::integer, $11::bigint, $4::text, $5::integer, $6::bigint, 'running', 'in flight when its process died' from go
  on conflict (consumer_id, replay_id, key, position) do update set state = 'running', next_at = null
  returning 1
)
select (select count(*) from fence) as fenced, (select deaths from dead) as deaths,
  (select count(*) from known) + (select count(*) from marked) as recorded
