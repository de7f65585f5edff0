-- Leases on lanes. Only these statements write `lanes`, and `insert_generation` its barriers.

-- name: take_lanes
-- Takes each lane whose token is still as seen. A lane whose commit is under way is left for the next look. The
-- checkpoint is read afterwards, in a new snapshot: a last commit of the previous owner may have moved it meanwhile.
with wanted as (
  select * from unnest($2::int[], $3::int[], $4::bigint[]) as w (consumer_id, lane, token)
), free as (
  select l.consumer_id, l.lane, l.released or l.owner = $1 as clean
    from factline.lanes l join wanted w using (consumer_id, lane)
   where l.token = w.token
   order by l.consumer_id, l.lane
     for update of l skip locked
)
update factline.lanes l
   set token = l.token + 1, owner = $1, released = false, taken_at = factline.clock()
  from free f
 where l.consumer_id = f.consumer_id and l.lane = f.lane
returning l.consumer_id, l.lane, l.generation, l.token, l.stop_at, f.clean

-- name: read_checkpoints
-- Of the lanes just taken, as long as they are still ours.
select k.consumer_id, k.lane, k.position, k.dispatch_limit
  from factline.checkpoints k
  join factline.lanes l using (consumer_id, lane)
  join unnest($1::int[], $2::int[], $3::bigint[]) as t (consumer_id, lane, token) using (consumer_id, lane)
 where l.token = t.token

-- name: release_lanes
-- $4: whether nothing was left half done; if not, the next owner treats what was in flight with suspicion.
with given_up as (
  update factline.lanes l set owner = null, released = l.released or $4, released_at = factline.clock()
    from unnest($1::int[], $2::int[], $3::bigint[]) as t (consumer_id, lane, token)
   where l.consumer_id = t.consumer_id and l.lane = t.lane and l.token = t.token
  returning l.consumer_id
)
select pg_notify('factline_requests', consumer_id::text) from (select distinct consumer_id from given_up) g

-- name: lock_consumer
select generation from factline.consumers where id = $1 and state <> 'retired' for update

-- name: next_generation
select generation, types, key_version, lanes, barrier, accepted_by, accepted_because
  from factline.consumer_generations where consumer_id = $1 and generation > $2 order by generation limit 1

-- name: lock_lanes_at_barrier
-- $2: processes known to be dead. A row that does not stand at the barrier, or that somebody works, stops the handover.
select l.lane, l.token, l.released, (l.owner is null or l.owner = any ($2::bigint[])) and k.position >= $3 as ready
  from factline.lanes l join factline.checkpoints k using (consumer_id, lane)
 where l.consumer_id = $1
 order by l.lane
   for update of l

-- name: remove_lanes
delete from factline.lanes where consumer_id = $1

-- name: remove_checkpoints
delete from factline.checkpoints where consumer_id = $1

-- name: insert_lanes
-- The barrier of the generation after this one, if there is one already, stops these lanes again.
insert into factline.lanes (consumer_id, lane, generation, token, stop_at, released)
select $1, lane, $2, $4, coalesce((select min(barrier) from factline.consumer_generations
                                    where consumer_id = $1 and generation > $2), 9007199254740991), $5
  from generate_series(0, $3 - 1) lane

-- name: insert_checkpoints
insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit)
select $1, lane, $3, $3 from generate_series(0, $2 - 1) lane

-- name: discard_dropped
-- A person has accepted that types are dropped: what was parked for want of code is discarded, each on record, by the
-- owner of its lane.
insert into factline.requests (consumer_id, verb, parked_id, actor, reason)
select p.consumer_id, 'discard', p.id, $3, $4
  from factline.parked p join factline.events e on e.position = p.position
 where p.consumer_id = $1 and p.state = 'waiting' and p.reason = 'no code' and not (e.type = any ($2::text[]))
 order by p.position

-- name: lead_generation
update factline.consumers set generation = $2, types = $3::text[], key_version = $4, lanes = $5 where id = $1
