-- The end of an event: the fence (the lane is still ours, and the event lies before the barrier of a next generation), the
-- inbox row, and what belongs to it. FL001: the lane is lost. FL002: already handled.

-- name: finish
-- Sent with COMMIT after the handler's own statements when it published nothing and the event was never parked: two rows.
-- $1 consumer, $2 lane, $3 token, $4 key hash, $5 position. Served by lanes_pkey and inbox_pkey. Why nothing was inserted is
-- decided by the inbox alone: this statement's snapshot may still show a token that a takeover has replaced meanwhile,
-- and an event must never be taken for handled because of that.
with handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, $4::integer, $5::bigint from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $5::bigint
  for share of l
  on conflict do nothing
  returning 1
)
select pg_current_xact_id()::text as transaction_id, '' as positions,
  case when exists (select from handled) then null
       when exists (select from factline.inbox i where i.consumer_id = $1::integer and i.replay_id = 0 and i.position = $5::bigint)
         then factline.refuse('FL002', 'the event was already handled')
       else factline.refuse('FL001', 'the lane belongs to another process') end as refused

-- name: finish_all
-- As finish, with the events that the handler published ($6, the parameter of `publish`) and, when $7 is not null, the parked
-- row of that key. The aggregate in `held` stands between the fence and the events, so that no position is taken
-- while a lock is still waited for.
with fence as materialized (
  select 1 from factline.lanes l
  where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $5::bigint
  for share
), held as materialized (
  select count(*) as lanes from fence
), handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, $4::integer, $5::bigint from held where held.lanes = 1
  on conflict do nothing
  returning 1
), unparked as (
  delete from factline.parked p using held
  where held.lanes = 1 and p.consumer_id = $1::integer and p.replay_id = 0 and p.key = $7::text and p.position = $5::bigint
  returning 1
), forgotten as (
  delete from factline.parked_events e using held
  where held.lanes = 1 and $7::text is not null and e.consumer_id = $1::integer and e.replay_id = 0 and e.position = $5::bigint
  returning 1
), published as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from held cross join rows from (json_to_recordset($6::text::json) as (id uuid, type text, source text, key text,
    key_hash integer, data jsonb, meta jsonb, time timestamptz, class text)) with ordinality
    as e (id, type, source, key, key_hash, data, meta, time, class, ordinal)
  where held.lanes = 1
  order by e.ordinal
  returning position
)
select pg_current_xact_id()::text as transaction_id,
  (select coalesce(string_agg(position::text, ',' order by position), '') from published) as positions,
  case when (select lanes from held) = 0 then factline.refuse('FL001', 'the lane belongs to another process')
       when (select count(*) from handled) = 0 then factline.refuse('FL002', 'the event was already handled') end as refused,
  (select count(*) from unparked) + (select count(*) from forgotten) as unparked

-- name: finish_many
-- Events whose handlers used no transaction, of any lanes of one consumer: one statement for all that ended meanwhile.
-- $1 consumer, $2 [{lane, token, position}] (the fences), $3 [{lane, keyHash, position, key}] (key only when it was parked).
-- Rows of lanes whose fence fails are left out.
with wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer and l.stop_at >= w.position
  for share of l
), given as materialized (
  select g.* from json_to_recordset($3::text::json) as g (lane integer, "keyHash" integer, position bigint, key text)
  where g.lane in (select lane from fence)
), handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, g."keyHash", g.position from given g order by g.position
  on conflict do nothing
  returning position
), unparked as (
  delete from factline.parked p using given g
  where g.key is not null and p.consumer_id = $1::integer and p.replay_id = 0 and p.key = g.key and p.position = g.position
  returning 1
), forgotten as (
  delete from factline.parked_events e using given g
  where g.key is not null and e.consumer_id = $1::integer and e.replay_id = 0 and e.position = g.position
  returning 1
)
select coalesce((select json_agg(lane) from fence), '[]'::json) as lanes,
  coalesce((select json_agg(position) from handled), '[]'::json) as handled,
  (select count(*) from unparked) + (select count(*) from forgotten) as unparked
