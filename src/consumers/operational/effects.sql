-- The effect ledger: written in transactions of its own on the reserved pool. In the handler's transaction it would
-- vanish with a rollback, and the outside world would be asked twice without a trace.

-- name: start_effect
-- $1 consumer, $2 lane, $3 token, $4 position, $5 event id, $6 name, $7 idempotency key. Fenced; commits before the call goes out.
-- Answers what stood there before; `fresh` = 1 when nothing did. Served by effects_pkey.
with fence as materialized (
  select l.token from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $4::bigint
  for share
), started as (
  insert into factline.effects (consumer_id, event_id, name, idempotency_key, state, token)
  select $1::integer, $5::uuid, $6::text, $7::text, 'started', f.token from fence f
  on conflict do nothing
  returning 1
)
select (select count(*) from fence) as fenced, (select count(*) from started) as fresh, e.state, e.result
from (select 1) as one
left join factline.effects e
  on e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $5::uuid and e.name = $6::text

-- name: finish_effect
-- $1 consumer, $2 event id, $3 name, $4 idempotency key, $5 result as JSON text, $6 token, $7 replay. Not fenced: what happened is
-- recorded even by a process that lost its lane. Never overwrites a `done`.
insert into factline.effects as e (consumer_id, replay_id, event_id, name, idempotency_key, state, token, result, done_at)
values ($1::integer, $7::bigint, $2::uuid, $3::text, $4::text, 'done', $6::bigint, $5::text::jsonb, factline.clock())
on conflict (consumer_id, replay_id, event_id, name) do update
  set state = 'done', result = excluded.result, done_at = excluded.done_at
  where e.state <> 'done'

-- name: settle_effect
-- $1 consumer, $2 event id, $3 name, $4 'happened' or 'did not', $5 result: a person says what became of a call whose outcome is unknown.
with happened as (
  update factline.effects e set state = 'done', result = $5::text::jsonb, done_at = factline.clock()
  where $4::text = 'happened' and e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $2::uuid and e.name = $3::text
    and e.state = 'started'
  returning 1
), never as (
  delete from factline.effects e
  where $4::text = 'did not' and e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $2::uuid and e.name = $3::text
    and e.state = 'started'
  returning 1
)
select (select count(*) from happened) + (select count(*) from never) as settled

-- name: forget_effect
-- $1 consumer, $2 event id, $3 name, $4 token, $5 replay: a call that its author knows did not happen. With the token, since a new owner may have
-- begun the same call meanwhile.
delete from factline.effects e
where e.consumer_id = $1::integer and e.replay_id = $5::bigint and e.event_id = $2::uuid and e.name = $3::text
  and e.state = 'started' and e.token = $4::bigint

-- name: open_effects
-- $1 consumer, $2 event id: the calls of an event whose outcome is not recorded.
select e.name from factline.effects e
where e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $2::uuid and e.state = 'started'
order by e.started_at

-- name: recorded_effect
-- $1 consumer, $2 event id, $3 name: the result of a call that happened. Served by effects_pkey.
select e.result from factline.effects e
where e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $2::uuid and e.name = $3::text and e.state = 'done'
