-- Checkpoints, inbox and what a new owner loads. $1 is the consumer.

-- name: write_checkpoints
-- $2 [{lane, token, position, limit}]: all lanes of one owner in one statement. Never goes back. Returns the lanes that are still ours, and
-- whether another process has opened the breaker meanwhile.
with wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint, position bigint, "limit" bigint)
), fence as materialized (
  select l.lane, w.position, w."limit" from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer and l.stop_at >= w.position
  for share of l
), moved as (
  update factline.checkpoints c
  set position = greatest(c.position, f.position), dispatch_limit = greatest(c.dispatch_limit, f."limit"), moved_at = factline.clock()
  from fence f
  where c.consumer_id = $1::integer and c.lane = f.lane
  returning c.lane
)
select coalesce((select json_agg(lane) from fence), '[]'::json) as lanes, (select count(*) from moved) as moved,
  exists (select from factline.breakers b where b.consumer_id = $1::integer and b.state = 'open') as breaker_open

-- name: prune_inbox
-- $2 [{lane, token, position}], $3 the number of lanes, $4 rows at most, $5 by lane number: its checkpoint, -1 where it is not
-- ours. Deletes inbox rows below the checkpoints, but none whose event is still parked. Served by inbox_pkey and parked_position.
with wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), gone as materialized (
  select i.position from factline.inbox i
  where i.consumer_id = $1::integer and i.replay_id = 0 and i.position <= (select max(position) from wanted)
    and i.position <= ($5::bigint[])[(i.key_hash::bigint & 4294967295) % $3::integer + 1]
    and not exists (select from factline.parked p
      where p.consumer_id = $1::integer and p.replay_id = 0 and p.position = i.position)
    and (select count(*) from fence) = (select count(*) from wanted)
  order by i.position limit $4::integer
), pruned as (
  delete from factline.inbox i
  where i.consumer_id = $1::integer and i.replay_id = 0 and i.position = any (array(select position from gone))
  returning 1
)
select (select count(*) from pruned) as pruned

-- name: inbox_above
-- $2 the number of lanes, $3 lanes, $4 the lowest of their checkpoints. Served by inbox_pkey.
select i.position from factline.inbox i
where i.consumer_id = $1::integer and i.replay_id = 0 and i.position > $4::bigint
  and (i.key_hash::bigint & 4294967295) % $2::integer = any($3::integer[])

-- name: forget_handled
-- $2 [{lane, token, position}], $3 the number of lanes: parked rows whose event was handled meanwhile (a spilled head whose
-- commit did not know of its row).
with wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), gone as (
  delete from factline.parked p using factline.inbox i
  where p.consumer_id = $1::integer and p.replay_id = 0
    and i.consumer_id = p.consumer_id and i.replay_id = 0 and i.position = p.position
    and (p.key_hash::bigint & 4294967295) % $3::integer in (select lane from fence)
  returning p.position
), known as (
  delete from factline.parked_events e using gone g
  where e.consumer_id = $1::integer and e.replay_id = 0 and e.position = g.position
  returning 1
)
select (select count(*) from gone) as forgotten, (select count(*) from known) as known
