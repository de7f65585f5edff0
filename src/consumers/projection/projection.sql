-- Everything of a projection that does not depend on its columns (those are made in statements.ts).
-- Fences as there: $1 consumer, $2 lane, $3 token.

-- name: lane_state
-- $1 consumer, $2 lane, $3 token. Read after a takeover and after a write whose outcome is unknown.
select c.position, l.token = $3::bigint as mine, k.state
from factline.checkpoints c
join factline.lanes l on l.consumer_id = c.consumer_id and l.lane = c.lane
join factline.consumers k on k.id = c.consumer_id
where c.consumer_id = $1::integer and c.lane = $2::integer

-- name: move_checkpoint
-- $4 position as read, $5 position to write, $6 dispatch limit. The last statement of a SQL projection's batch, and alone
-- where only events that do not matter were passed. First column: see `transaction`.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint and stop_at >= $5::bigint for share
), proof as (
  update factline.checkpoints
  set position = $5::bigint, dispatch_limit = greatest(dispatch_limit, $6::bigint), moved_at = factline.clock(),
    dead_owners = 0
  where consumer_id = $1::integer and lane = $2::integer and position = $4::bigint and exists (select from lane)
  returning 1
)
select pg_current_xact_id_if_assigned()::text, case
  when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over')
  when not exists (select from proof) then factline.refuse('FL003', 'the checkpoint was moved by someone else')
  end as refused

-- name: finish_parked
-- $4 position of the event, $5 number of its parked rows. The delete is the proof that the event counts once.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint and stop_at >= $4::bigint for share
), proof as (
  delete from factline.parked
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from lane)
  returning 1
), described as (
  delete from factline.parked_events
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from proof)
)
select pg_current_xact_id_if_assigned()::text, case
  when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over')
  when (select count(*) from proof) <> $5::bigint then factline.refuse('FL002', 'the parked rows are gone')
  end as refused

-- name: next_of_key
-- $1 consumer, $2 key, $3 rows at most: the parked events of one key in order, each with all its keys. Served by
-- parked_pkey and parked_position.
select p.position, p.state, coalesce(p.next_at <= factline.clock(), false) as due,
  extract(epoch from p.next_at - factline.clock()) * 1000 as delay_ms, coalesce(e.attempts, 0) as attempts, e.envelope, e.edited::text as edited,
  (select array_agg(o.key order by o.key) from factline.parked o
    where o.consumer_id = p.consumer_id and o.replay_id = 0 and o.position = p.position) as keys
from factline.parked p
left join factline.parked_events e
  on e.consumer_id = p.consumer_id and e.replay_id = 0 and e.position = p.position
where p.consumer_id = $1::integer and p.replay_id = 0 and p.key = $2::text
order by p.position
limit $3::integer

-- name: keys_of_event
-- $1 consumer, $2 position, 'FOR UPDATE'-free: only the owner writes here.
select key, key_hash, state from factline.parked
where consumer_id = $1::integer and replay_id = 0 and position = $2::bigint
order by key

-- name: discard_event
-- $4 position, $5 the request, $6 its answer. All rows of the event go in one
-- statement with the inbox row, which records that it was dealt with, and with the answer, which records by whom and why; what
-- was known of it stays in quarantine_discards.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
), gone as (
  delete from factline.parked
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from lane)
  returning id, key, key_hash, group_id
), described as (
  delete from factline.parked_events e
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from gone)
  returning to_jsonb(e) as record
), kept as (
  insert into factline.quarantine_discards (parked_id, consumer_id, position, keys, group_id, followers, record, actor, reason)
  select r.parked_id, $1::integer, $4::bigint,
    (select jsonb_agg(jsonb_build_object('key', key, 'keyHash', key_hash) order by key) from gone),
    (select min(group_id) from gone),
    (select count(distinct w.position) from factline.parked w
      where w.consumer_id = $1::integer and w.replay_id = 0 and w.key in (select key from gone) and w.position > $4::bigint),
    (select record from described), r.actor, coalesce(r.reason, '')
  from factline.requests r where r.id = $5::bigint and exists (select from gone)
  on conflict (parked_id) do update
    set followers = excluded.followers, record = excluded.record, actor = excluded.actor, reason = excluded.reason,
        discarded_at = excluded.discarded_at, restore_until = excluded.restore_until, restored_at = null
), handled as (
  insert into factline.inbox (consumer_id, replay_id, key_hash, position)
  select $1::integer, 0, min(key_hash), $4::bigint from gone having count(*) > 0
  on conflict do nothing
), answered as (
  update factline.requests set state = 'done', answer = $6::text::jsonb, answered_at = factline.clock()
  where id = $5::bigint and state = 'open' and exists (select from gone)
)
select case when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over') end as refused,
  coalesce((select json_agg(key order by key) from gone), '[]'::json) as keys

-- name: release_event
-- As discard_event, without $5 and $6: every row of the event waits for its turn again, and all attempts are ahead.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
), released as (
  update factline.parked set state = 'waiting', reason = 'retry requested', next_at = null
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from lane)
  returning key
), forgiven as (
  update factline.parked_events set attempts = 0, killed_attempts = 0, kills = '[]', incarnation = null
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from released)
)
select case when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over') end as refused,
  coalesce((select json_agg(key order by key) from released), '[]'::json) as keys

-- name: savepoint
savepoint event

-- name: rollback_to_savepoint
rollback to savepoint event

-- name: release_savepoint
release savepoint event

-- name: note_dead_owner
-- After an unclean takeover: how often that has happened at this checkpoint, and whether the attempt of a suspect is on record.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
), noted as (
  update factline.checkpoints set dead_owners = dead_owners + 1
  where consumer_id = $1::integer and lane = $2::integer and exists (select from lane)
  returning dead_owners, position
)
select n.dead_owners as times, exists (
    select from factline.parked_events e
    where e.consumer_id = $1::integer and e.replay_id = 0 and e.position > n.position and e.kills <> '[]') as recorded
from noted n

-- name: keep_dead_owners
-- $4 how many. In a group of suspects: its commit counts from nothing again, and the next group is one of the same size.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
)
update factline.checkpoints set dead_owners = $4::integer
where consumer_id = $1::integer and lane = $2::integer and exists (select from lane)
returning dead_owners

-- name: begin_suspect
-- $4 position, $5 this process's incarnation, $6 event id, $7 type, $8 deaths at most: records that this process begins the event,
-- before any code runs for it. An earlier attempt counts as a death when its process never beat again after it had been found
-- dead (the beat at which that was is noted once). Nothing is recorded when there were too many deaths already.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint and stop_at >= $4::bigint for share
), earlier as materialized (
  select coalesce(jsonb_agg(case when k.kill ? 'beat' then k.kill
      else k.kill || jsonb_build_object('beat',
        (select p.beat from factline.processes p where p.incarnation::text = k.kill->>'incarnation')) end order by k.ordinal), '[]') as kills
  from factline.parked_events e, jsonb_array_elements(e.kills) with ordinality as k (kill, ordinal)
  where e.consumer_id = $1::integer and e.replay_id = 0 and e.position = $4::bigint
), dead as materialized (
  select count(*)::integer as deaths from earlier, jsonb_array_elements(earlier.kills) as k (kill)
  where k.kill->>'incarnation' <> $5::text
    and not exists (select from factline.processes p
      where p.incarnation::text = k.kill->>'incarnation' and p.beat > coalesce((k.kill->>'beat')::bigint, p.beat))
), recorded as (
  insert into factline.parked_events as e (consumer_id, replay_id, position, killed_attempts, incarnation, kills, event_id, event_type)
  select $1::integer, 0, $4::bigint, dead.deaths + 1, $5::uuid,
    earlier.kills || jsonb_build_array(jsonb_build_object('incarnation', $5::text)), $6::uuid, $7::text
  from earlier, dead where dead.deaths < $8::integer and exists (select from lane)
  on conflict (consumer_id, replay_id, position) do update
    set killed_attempts = excluded.killed_attempts, incarnation = excluded.incarnation, kills = excluded.kills
  returning 1
)
select case when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over') end as refused,
  (select deaths from dead) as deaths, exists (select from recorded) as recorded

-- name: forget_suspects
-- What was recorded of suspects that turned out to be harmless: they are below the checkpoint and not parked. $4 lanes of the
-- build while it is filled: what another lane has recorded is not ours to judge.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
)
delete from factline.parked_events e
where e.consumer_id = $1::integer and e.replay_id = 0 and exists (select from lane)
  and e.position <= (select c.position from factline.checkpoints c where c.consumer_id = $1::integer and c.lane = $2::integer)
  and ($4::integer = 1 or exists (select from factline.events v
    where v.position = e.position and (v.key_hash::bigint & 4294967295) % $4::integer = $2::integer))
  and not exists (select from factline.parked p
    where p.consumer_id = $1::integer and p.replay_id = 0 and p.position = e.position)

-- name: mark_rows
-- $4 positions, $5 'running' before code runs for these parked events, 'waiting' when it did not come to that.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
), marked as (
  update factline.parked set state = $5::text, next_at = null
  where consumer_id = $1::integer and replay_id = 0 and position = any ($4::bigint[]) and exists (select from lane)
)
select case when not exists (select from lane) then factline.refuse('FL001', 'the lane was taken over') end as refused
