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
  set position = $5::bigint, dispatch_limit = greatest(dispatch_limit, $6::bigint), moved_at = factline.clock()
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
  extract(epoch from p.next_at - factline.clock()) * 1000 as delay_ms, coalesce(e.attempts, 0) as attempts, e.envelope,
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
-- statement with the inbox row, which records that it was dealt with, and with the answer, which records by whom and why.
with lane as materialized (
  select from factline.lanes
  where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share
), gone as (
  delete from factline.parked
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from lane)
  returning key, key_hash
), described as (
  delete from factline.parked_events
  where consumer_id = $1::integer and replay_id = 0 and position = $4::bigint and exists (select from gone)
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
  update factline.parked_events set attempts = 0, killed_attempts = 0
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

-- name: idle_limit
-- A process that was stopped in the middle of a batch must not block its successor on the rows it has locked.
set local idle_in_transaction_session_timeout = '10s'
