-- Consumers and their generations. Called at the first I/O of a process, by `factline consumers accept` and by a rebuild.

-- name: find_consumers
-- Everything stored under these names, also under names they had earlier. A table of at most hundreds of rows.
select c.id, c.app, c.class, c.name, c.version, c.build, c.state, c.generation, c.lanes, c.ordering, c.types,
       c.start_position, c.former_names, c.declaration, c.handled_within_ms, c.error_budget,
       (select json_agg(json_build_object('generation', g.generation, 'types', g.types, 'declaredTypes', g.declared_types,
                                          'keyVersion', g.key_version, 'lanes', g.lanes, 'barrier', g.barrier)
                        order by g.generation)
          from factline.consumer_generations g where g.consumer_id = c.id) as generations
  from factline.consumers c
 where c.name = any ($1::text[]) or c.former_names && $1::text[]
 order by c.id

-- name: lock_registration
-- One registration at a time; held to the end of the transaction. Readers and running consumers are not touched.
select pg_advisory_xact_lock(hashtext('factline.register_consumers'))

-- name: lock_compaction
-- Whoever registers below the head takes this row first, so that no compaction runs past it meanwhile.
select compacted_below from factline.log_meta for share

-- name: earlier_consumers
-- Whether one of these types was ever read by any consumer, retired ones included.
select 1 from factline.consumer_generations where types && $1::text[] limit 1

-- name: insert_consumer
-- A null start is 'now'. Lanes and checkpoints are there from the first moment: status can name lanes without an owner.
with made as (
  insert into factline.consumers (app, class, name, version, build, state, types, key_version, lanes, ordering,
                                  start_position, declaration, handled_within_ms, error_budget)
  values ($1, $2, $3, $4, $5, $6, $7::text[], $8, $9, $10,
          coalesce($11::bigint,
                   pg_sequence_last_value(pg_get_serial_sequence('factline.events', 'position')::regclass), 0),
          $12::jsonb, $13, $14)
  returning id, generation, types, key_version, lanes, start_position
), generation as (
  insert into factline.consumer_generations (consumer_id, generation, types, declared_types, key_version, lanes, barrier)
  select id, generation, types, types, key_version, lanes, start_position from made
), lane_rows as (
  insert into factline.lanes (consumer_id, lane, generation)
  select id, lane, generation from made, generate_series(0, lanes - 1) lane
), checkpoint_rows as (
  insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit)
  select id, lane, start_position, start_position from made, generate_series(0, lanes - 1) lane
)
select id, start_position from made

-- name: update_declaration
-- A new name (the old one stays known), or another service level.
update factline.consumers
   set former_names = case when name = $2 then former_names else array_append(array_remove(former_names, $2), name) end,
       name = $2, handled_within_ms = $3, error_budget = $4
 where id = $1

-- name: lock_lanes
-- Waits for commits of owners that are under way, so that the barrier is chosen above all that is in flight.
select lane from factline.lanes where consumer_id = $1 order by lane for update

-- name: insert_generation
-- $6: the set of types changed, so the barrier is the log's end. Otherwise only the number of lanes did: the lowest
-- barrier above everything that is handled or in flight.
with state as (
  select max(position) as top, max(greatest(position, dispatch_limit)) as dispatched,
         coalesce(pg_sequence_last_value(pg_get_serial_sequence('factline.events', 'position')::regclass), 0) as head
    from factline.checkpoints where consumer_id = $1
), earlier as (
  select max(generation) as generation, max(barrier) as barrier
    from factline.consumer_generations where consumer_id = $1
), made as (
  insert into factline.consumer_generations (consumer_id, generation, types, declared_types, key_version, lanes, barrier,
                                             accepted_by, accepted_because)
  select $1, e.generation + 1, $2::text[], $3::text[], $4, $5,
         greatest(e.barrier, s.top, case when $6 then s.head else least(s.dispatched, s.head) end), $7, $8
    from state s, earlier e
  returning generation, barrier
), limited as (
  update factline.lanes l set stop_at = least(l.stop_at, m.barrier) from made m where l.consumer_id = $1
)
select generation, barrier from made

-- name: unknown_consumers
-- Stored state of this app that none of these ids explains: a consumer was renamed or removed without a word.
select c.id, c.name, c.class, c.build, c.registered_at,
       (select min(k.position) from factline.checkpoints k where k.consumer_id = c.id) as checkpoint,
       (select count(*) from factline.parked p where p.consumer_id = c.id) as parked
  from factline.consumers c
 where c.app = $1 and c.state <> 'retired' and not (c.id = any ($2::int[]))
   and not exists (select 1 from factline.processes p where p.declared ? c.id::text)
 order by c.name, c.build

-- name: wake_owners
-- Every process that declares the consumer looks at once instead of at its next heartbeat.
select pg_notify('factline_requests', $1::text)
