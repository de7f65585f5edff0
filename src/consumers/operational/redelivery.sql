-- Events that a governed replay delivers again: rows of `parked` under the replay's number. $1 is the consumer. A table that
-- live events share (lanes, inbox, parked, effects) is written here under another replay_id, so nothing of live is touched.

-- name: take_replayed
-- $2 [{lane, token}], $3 the number of lanes, $4 positions that this owner has in memory, $5 rows at most: the heads of keys that may
-- run become `running`. Only lanes where something is taken are locked. Its commit
-- waits for no disk: what a server loses with it waits again, and an inbox row that is safe makes it safe, too. Also says on which terms; null: no replay is under way. A head that is `running` already was left by another owner.
-- Served by replays_at_work and parked_pkey.
with replay as materialized (
  select r.id, v.manifest -> 'effects' ->> 'policy' as effects, v.manifest ->> 'publish' as publish,
    coalesce(r.rate_now, (v.manifest #>> '{rate,ceiling}')::double precision) as rate
  from factline.replays r join factline.replay_revisions v on v.replay_id = r.id and v.revision = r.revision
  where r.consumer_id = $1::integer and r.state in ('canary', 'running', 'verifying')
  order by r.id limit 1
), wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint)
), heads as materialized (
  select distinct on (p.key) p.replay_id, p.key, p.position, p.state, p.next_at, (p.key_hash::bigint & 4294967295) % $3::integer as lane
  from factline.parked p join replay r on p.replay_id = r.id
  where p.consumer_id = $1::integer and (p.key_hash::bigint & 4294967295) % $3::integer in (select lane from wanted)
  order by p.key, p.position
), due as materialized (
  select h.* from heads h
  where h.position <> all ($4::bigint[])
    and (h.state in ('waiting', 'running') or (h.state = 'retrying' and h.next_at <= factline.clock()))
  order by h.position limit $5::integer
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer and l.lane in (select lane from due)
  for share of l
), taken as (
  update factline.parked p set state = 'running', next_at = null
  from due d
  where p.consumer_id = $1::integer and p.replay_id = d.replay_id and p.key = d.key and p.position = d.position
    and d.lane in (select lane from fence)
  returning p.replay_id, p.key, p.key_hash, p.position, d.state as was
)
select (select row_to_json(r) from replay r) as replay, set_config('synchronous_commit', 'off', true) as unhurried,
  coalesce((select json_agg(json_build_object('key', t.key, 'keyHash', t.key_hash, 'position', t.position, 'was', t.was,
      'attempts', coalesce(e.attempts, 0), 'envelope', e.envelope) order by t.position)
    from taken t left join factline.parked_events e
      on e.consumer_id = $1::integer and e.replay_id = t.replay_id and e.position = t.position), '[]'::json) as rows

-- name: note_strain
-- $1 replay: live events take longer beside it.
update factline.replays set strained_at = factline.clock() where id = $1::bigint and state in ('canary', 'running')

-- name: finish_replayed
-- As finish of commits.sql: $1 consumer, $2 lane, $3 token, $4 key hash, $5 position, $6 key, $7 replay. The commit waits for no disk: what
-- a server loses with it (the handler's rows, the proof, the parked row) is lost together, and handled again.
with handled as (
  insert into factline.inbox (consumer_id, replay_id, key_hash, position)
  select $1::integer, $7::bigint, $4::integer, $5::bigint from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $5::bigint
  for share of l
  on conflict do nothing
  returning 1
), unparked as (
  delete from factline.parked p using handled
  where p.consumer_id = $1::integer and p.replay_id = $7::bigint and p.key = $6::text and p.position = $5::bigint
  returning 1
), forgotten as (
  delete from factline.parked_events e using handled
  where e.consumer_id = $1::integer and e.replay_id = $7::bigint and e.position = $5::bigint
  returning 1
)
select pg_current_xact_id()::text as transaction_id, '' as positions, set_config('synchronous_commit', 'off', true) as unhurried,
  case when exists (select from handled) then null
       when exists (select from factline.inbox i where i.consumer_id = $1::integer and i.replay_id = $7::bigint and i.position = $5::bigint)
         then factline.refuse('FL002', 'the event was already handled')
       else factline.refuse('FL001', 'the lane belongs to another process') end as refused

-- name: finish_replayed_publishing
-- As finish_all of commits.sql, when something was published or would have been: $2 lane, $3 token, $4 key hash, $5 position, $6 key, $7 replay, $8
-- events, $9 events published, $10 suppressed. The replay's row is locked to the commit only where something was published.
with fence as materialized (
  select 1 from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $5::bigint
  for share
), held as materialized (
  select count(*) as lanes from fence
), handled as (
  insert into factline.inbox (consumer_id, replay_id, key_hash, position)
  select $1::integer, $7::bigint, $4::integer, $5::bigint from held where held.lanes = 1
  on conflict do nothing
  returning 1
), unparked as (
  delete from factline.parked p using held
  where held.lanes = 1 and p.consumer_id = $1::integer and p.replay_id = $7::bigint and p.key = $6::text and p.position = $5::bigint
  returning 1
), forgotten as (
  delete from factline.parked_events e using held
  where held.lanes = 1 and e.consumer_id = $1::integer and e.replay_id = $7::bigint and e.position = $5::bigint
  returning 1
), counted as (
  update factline.replays r set published = r.published + $9::integer, suppressed = r.suppressed + $10::integer
  from held
  where held.lanes = 1 and r.id = $7::bigint and $9::integer + $10::integer > 0
  returning 1
), published as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from held cross join rows from (json_to_recordset($8::text::json) as (id uuid, type text, source text, key text,
    key_hash integer, data jsonb, meta jsonb, time timestamptz, class text)) with ordinality
    as e (id, type, source, key, key_hash, data, meta, time, class, ordinal)
  where held.lanes = 1
  order by e.ordinal
  returning position
)
select pg_current_xact_id()::text as transaction_id, case when $9::integer = 0 then set_config('synchronous_commit', 'off', true) end as unhurried,
  (select coalesce(string_agg(position::text, ',' order by position), '') from published) as positions,
  case when (select lanes from held) = 0 then factline.refuse('FL001', 'the lane belongs to another process')
       when (select count(*) from handled) = 0 then factline.refuse('FL002', 'the event was already handled') end as refused,
  (select count(*) from unparked) + (select count(*) from forgotten) + (select count(*) from counted) as unparked

-- name: start_replayed_effect
-- $2 lane, $3 token, $4 position, $5 event id, $6 name, $7 idempotency key, $8 replay, $9 policy (skip, reuse, execute). Decides once what
-- becomes of the effect, from the record of live operation, and answers that ever after. Under execute the counter of the whole
-- replay is raised with it, and never above the approved maximum: the row lock makes others wait and look again.
with fence as materialized (
  select 1 from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $4::bigint
  for share
), live as materialized (
  select e.state, e.result from factline.effects e
  where e.consumer_id = $1::integer and e.replay_id = 0 and e.event_id = $5::uuid and e.name = $6::text
), mine as materialized (
  select e.state, e.disposition, e.result from factline.effects e
  where e.consumer_id = $1::integer and e.replay_id = $8::bigint and e.event_id = $5::uuid and e.name = $6::text
), begun as (
  update factline.replays r set effects_begun = r.effects_begun + 1
  from factline.replay_revisions v
  where $9::text = 'execute' and r.id = $8::bigint and v.replay_id = r.id and v.revision = r.revision
    and r.effects_begun < (v.manifest -> 'effects' ->> 'max')::integer
    and exists (select from fence) and not exists (select from mine)
  returning 1
), decided as materialized (
  select case when $9::text = 'execute' then case when exists (select from begun) then 'executed' else 'blocked' end
              when exists (select from live where state = 'done') then case $9::text when 'skip' then 'skipped' else 'reused' end
              when $9::text = 'skip' then 'blocked'
              else 'executed' end as disposition
  from fence where not exists (select from mine)
), started as (
  insert into factline.effects (consumer_id, replay_id, event_id, name, idempotency_key, state, token, disposition, result, done_at)
  select $1::integer, $8::bigint, $5::uuid, $6::text, $7::text, case d.disposition when 'executed' then 'started' else 'done' end, $3::bigint,
    d.disposition, case when d.disposition in ('skipped', 'reused') then (select result from live) end,
    case when d.disposition <> 'executed' then factline.clock() end
  from decided d
  returning state, disposition, result
)
select (select count(*) from fence) as fenced, (select count(*) from started) as fresh, (select state from live) as live_state,
  e.state, e.disposition, e.result
from (select 1) as one
left join (select * from mine union all select * from started) e on true
