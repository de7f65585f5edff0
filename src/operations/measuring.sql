-- Lag, measured at the source: what the log holds against what checkpoints, inbox and parked rows say. Read by any process,
-- with or without running consumers. Every statement is bounded by its limits, whatever the backlog.

-- name: read_consumers
-- $1 the app, or null for all, $2 the space of session locks, $3 windows in seconds that are summed up from minutes, $4 from hours. One row per consumer that is not retired. An owner lives while its
-- session lock is held; where the lock proves nothing (no direct session, server restarted), while its beat is fresh.
-- A process that only sleeps holds its lock: then nothing moves, which the verdict sees.
with clock as materialized (
  select factline.clock() as now
), session_locks as materialized (
  select k.objid::bigint as process
    from pg_locks k
   where k.locktype = 'advisory' and k.granted and k.objsubid = 2 and k.classid::bigint = $2
     and k.database = (select oid from pg_database where datname = current_database())
), process as materialized (
  select p.id, p.host, p.pid, p.code_version, p.beaten_at,
         exists (select from session_locks s where s.process = p.id & 2147483647)
           or (not (p.direct_session and p.server_started_at is not distinct from pg_postmaster_start_time())
               and p.beaten_at > clock.now - interval '12 seconds') as living
    from factline.processes p, clock
)
select c.id, c.app, c.class, c.name, c.version, c.build, c.state, c.generation, c.types, c.ordering, c.start_position,
       c.handled_within_ms, c.error_budget, c.paused_reason, c.paused_by,
       extract(epoch from clock.now - c.paused_at) * 1000 as paused_ms,
       extract(epoch from c.paused_until - clock.now) * 1000 as resumes_ms,
       coalesce((select json_agg(json_build_object(
                    'scope', h.scope, 'value', h.value, 'reason', h.reason, 'by', h.actor,
                    'forMs', extract(epoch from clock.now - h.paused_at) * 1000,
                    'resumesMs', extract(epoch from h.paused_until - clock.now) * 1000) order by h.scope, h.value)
                   from factline.pauses h where h.consumer_id = c.id), '[]') as paused_parts,
       newer.generation as newer_generation, newer.barrier as newer_barrier, coalesce(newer.types, '{}') as newer_types,
       b.kind as breaker_kind, b.reason as breaker_reason, b.fingerprint as breaker_fingerprint,
       b.opened_at as breaker_opened_at, b.actor as breaker_actor,
       coalesce(lanes.list, '[]'::json) as lanes,
       coalesce(owners.list, '[]'::json) as owners,
       (select max(position) from factline.events) as head,
       objective.events as objective_events, objective.late as objective_late, objective.quarantined as objective_quarantined,
       windows.list as windows, earlier.facts as earlier, jump.facts as jump,
       extract(epoch from clock.now) * 1000 as clock_ms,
       extract(epoch from clock.now - (select p.seen_at from factline.probes p where p.app = c.app)) * 1000 as probe_ms,
       extract(epoch from (select recorded_at from factline.events order by position desc limit 1) - clock.now) * 1000 as head_ahead_ms
  from factline.consumers c
 cross join clock
  left join factline.breakers b on b.consumer_id = c.id and b.state = 'open'
  left join lateral (
    select g.generation, g.barrier, g.types
      from factline.consumer_generations g
     where g.consumer_id = c.id and g.generation > c.generation
     order by g.generation desc limit 1) newer on true
  left join lateral (
    select json_agg(json_build_object(
             'lane', l.lane,
             'checkpoint', k.position,
             'movedMs', extract(epoch from clock.now - k.moved_at) * 1000,
             'owner', case when p.living then p.id end,
             'unownedMs', case when not coalesce(p.living, false)
               then extract(epoch from clock.now - greatest(l.taken_at, l.released_at, k.moved_at, p.beaten_at, c.registered_at)) * 1000 end)
             order by l.lane) as list
      from factline.lanes l
      join factline.checkpoints k on k.consumer_id = l.consumer_id and k.lane = l.lane
      left join process p on p.id = l.owner
     where l.consumer_id = c.id) lanes on true
  left join lateral (
    select json_agg(json_build_object('process', p.id, 'host', p.host, 'pid', p.pid, 'codeVersion', p.code_version)
                    order by p.id) as list
      from process p
     where p.living and p.id in (select l.owner from factline.lanes l where l.consumer_id = c.id)) owners on true
  left join lateral (
    select sum(o.events)::bigint as events, sum(o.late)::bigint as late, sum(o.quarantined)::bigint as quarantined
      from factline.objective_hours o
     where o.consumer_id = c.id and o.hour > clock.now - interval '30 days') objective on true
  left join lateral (
    select json_agg(json_build_object('seconds', w.seconds, 'coveredMs', w.covered, 'events', w.events, 'failed', w.failed)) as list
      from (
        -- Of the oldest sample only what lies inside of the window.
        select s.seconds, sum(least(m.covered_ms, extract(epoch from m.sampled_at - clock.now + make_interval(secs => s.seconds)) * 1000)) as covered,
               sum(m.events) as events, sum(m.late + m.quarantined) as failed
          from unnest($3::integer[]) as s (seconds)
          join factline.objective_minutes m
            on m.consumer_id = c.id and m.sampled_at > clock.now - make_interval(secs => s.seconds) and m.sampled_at <= clock.now
         group by s.seconds
        union all
        select s.seconds, sum(o.covered_ms), sum(o.events), sum(o.late + o.quarantined)
          from unnest($4::integer[]) as s (seconds)
          join factline.objective_hours o
            on o.consumer_id = c.id and o.hour > clock.now - make_interval(secs => s.seconds) and o.hour <= clock.now
         group by s.seconds) w) windows on true
  left join lateral (
    select json_build_object('agoMs', extract(epoch from clock.now - m.sampled_at) * 1000, 'lagMs', m.lag_ms, 'unhandled', m.unhandled, 'behind', m.behind) as facts
      from factline.objective_minutes m
     where m.consumer_id = c.id and m.sampled_at between clock.now - interval '330 seconds' and clock.now - interval '30 seconds'
     order by m.sampled_at
     limit 1) earlier on true
  left join lateral (
    select json_build_object('byMs', j.by_ms, 'agoMs', extract(epoch from clock.now - j.noticed_at) * 1000, 'head', j.head) as facts
      from factline.clock_jumps j
     order by j.id desc
     limit 1) jump on true
 where c.state <> 'retired' and ($1::text is null or c.app = $1)
   -- A build that is only kept for going back has no code where an older release has stopped: nothing is wrong with that.
   and (owners.list is not null
        or not exists (select from factline.builds d where d.consumer_id = c.id and d.stage = 'standby'))
 order by c.name, c.build

-- name: scan_log
-- $1 consumers [{id, after, types, newerTypes, barrier, ordering, checkpoints}], $2 rows that are looked at for each. Walks
-- events_pkey upwards from `after`; an event is unhandled when the consumer reads its type, its lane's checkpoint is below it,
-- and it stands neither in the inbox nor in parked. The scalar subqueries stay probes of inbox_pkey and parked_position, one a
-- row; as EXISTS the planner may hash a whole inbox. Under ordering 'none' the lane follows from the event's id, which SQL
-- can't hash: the candidates go to the caller.
select s.id, w.scanned, w.last, w.unhandled, w.position, w.key_hash, w.candidates,
       extract(epoch from factline.clock() - w.recorded_at) * 1000 as age_ms,
       extract(epoch from factline.clock() - w.last_recorded_at) * 1000 as last_age_ms
  from json_to_recordset($1::text::json)
    as s (id integer, after bigint, types text[], "newerTypes" text[], barrier bigint, ordering text, checkpoints bigint[])
 cross join lateral (
  select count(*) as scanned, max(e.position) as last, max(e.recorded_at) as last_recorded_at,
         count(*) filter (where e.unhandled) as unhandled,
         min(e.position) filter (where e.unhandled) as position,
         min(e.recorded_at) filter (where e.unhandled) as recorded_at,
         (array_agg(e.key_hash order by e.position) filter (where e.unhandled))[1] as key_hash,
         json_agg(json_build_array(e.position, e.id, extract(epoch from factline.clock() - e.recorded_at) * 1000)
                  order by e.position) filter (where e.unhandled and s.ordering = 'none') as candidates
    from (
      select r.position, r.id, r.key_hash, r.recorded_at,
             (r.type = any (s.types) or (r.type = any (s."newerTypes") and r.position > s.barrier))
               and (s.ordering = 'none' or r.position > s.checkpoints[1 + case cardinality(s.checkpoints) when 1 then 0
                     else (r.key_hash::bigint & 4294967295) % cardinality(s.checkpoints) end])
               and (select true from factline.inbox i
                     where i.consumer_id = s.id and i.replay_id = 0 and i.position = r.position) is null
               and (select true from factline.parked p
                     where p.consumer_id = s.id and p.replay_id = 0 and p.position = r.position limit 1) is null
               as unhandled
        from (
          select position, id, type, key_hash, recorded_at
            from factline.events
           where position > s.after
           order by position
           limit $2) r) e) w

-- name: read_parked
-- $1 consumers, $2 rows that are looked at for each, in the order of parked_pkey: by key, then position. An event that waits on
-- several keys counts once, and as waiting behind a person when one of its keys does.
select c.id, r.rows,
       r.quarantined, r.quarantined_keys, r.behind_quarantined, r.retrying, r.running, r.waiting, r.without_code, r.paused,
       extract(epoch from r.next_at - factline.clock()) * 1000 as next_ms,
       -- A key that is made of what a contract hides is not named.
       coalesce((select '(' || min(s.value) || ')'
                   from factline.contract_terms t cross join unnest(t.key) k cross join jsonb_each_text(t.sensitivity) s
                  where (s.key = k or starts_with(k, s.key || '.'))
                    and starts_with(r.hottest_key, array_to_string(t.key, ',') || '=')), r.hottest_key) as hottest_key, r.hottest_waiting,
       (select json_object_agg(o.state, json_build_object(
                 'position', o.position, 'keyHash', h.key_hash,
                 'ageMs', extract(epoch from factline.clock() - coalesce(e.recorded_at, h.parked_at)) * 1000,
                 'activeMs', extract(epoch from factline.clock()
                               - greatest(h.parked_at, f.last_failed_at)) * 1000,
                 'nextMs', extract(epoch from h.next_at - factline.clock()) * 1000))
          from json_to_recordset(r.oldest) as o (state text, position bigint, key text)
          join factline.parked h on h.consumer_id = c.id and h.replay_id = 0 and h.key = o.key and h.position = o.position
          left join factline.events e on e.position = o.position
          left join factline.parked_events f on f.consumer_id = c.id and f.replay_id = 0 and f.position = o.position
       ) as oldest
  from unnest($1::integer[]) as c (id)
 cross join lateral (
  with given as materialized (
    select p.key, p.position, p.state, p.reason, p.next_at
      from factline.parked p
     where p.consumer_id = c.id and p.replay_id = 0
     order by p.key, p.position
     limit $2
  ), by_key as (
    select g.*, bool_or(g.state = 'quarantined') over (partition by g.key) as stopped,
           bool_or(g.reason = 'paused' and g.state = 'waiting') over (partition by g.key) as held
      from given g
  ), by_event as materialized (
    select position, min(key) as key, min(next_at) as next_at,
           case when bool_or(state = 'quarantined') then 'quarantined'
                when bool_or(stopped) then 'behind quarantined'
                when bool_or(held) then 'paused'
                when bool_or(reason = 'no code') then 'without code'
                when bool_or(state = 'running') then 'running'
                when bool_or(state = 'retrying') then 'retrying'
                else 'waiting' end as state
      from by_key group by position
  ), hottest as (
    select key, count(*) as waiting from by_key where not stopped and not held and state = 'waiting'
     group by key order by count(*) desc, key limit 1
  )
  select (select count(*) from given) as rows,
         count(*) filter (where state = 'quarantined') as quarantined,
         (select count(distinct key) from given where state = 'quarantined') as quarantined_keys,
         count(*) filter (where state = 'behind quarantined') as behind_quarantined,
         count(*) filter (where state = 'retrying') as retrying,
         count(*) filter (where state = 'running') as running,
         count(*) filter (where state = 'waiting') as waiting,
         count(*) filter (where state = 'without code') as without_code,
         count(*) filter (where state = 'paused') as paused,
         min(next_at) as next_at,
         (select key from hottest) as hottest_key, (select waiting from hottest) as hottest_waiting,
         coalesce((select json_agg(json_build_object('state', f.state, 'position', f.position, 'key', f.key))
                     from (select distinct on (state) state, position, key from by_event order by state, position) f),
                  '[]'::json) as oldest
    from by_event) r

-- name: oldest_active
-- $1 consumers: the oldest event that is being retried, when there are more parked rows than read_parked looks at.
-- Served by parked_due.
select c.id, a.position, a.key_hash,
       extract(epoch from factline.clock() - coalesce(e.recorded_at, a.parked_at)) * 1000 as age_ms
  from unnest($1::integer[]) as c (id)
 cross join lateral (
  select p.position, p.key_hash, p.parked_at
    from factline.parked p
   where p.consumer_id = c.id and p.replay_id = 0 and p.state = 'retrying'
   order by p.position
   limit 1) a
  left join factline.events e on e.position = a.position

-- name: last_handled
-- $1 consumers [{id, lane, lanes}]: when the lane of the oldest unhandled event last committed one. Looks at the newest rows of
-- the inbox only (inbox_pkey backwards): a lane that commits anything is among them.
select s.id, extract(epoch from factline.clock() - max(i.handled_at)) * 1000 as ago_ms
  from json_to_recordset($1::text::json) as s (id integer, lane integer, lanes integer)
 cross join lateral (
  select n.handled_at, n.key_hash
    from factline.inbox n
   where n.consumer_id = s.id and n.replay_id = 0
   order by n.position desc
   limit 5000) i
 where s.lanes = 1 or (i.key_hash::bigint & 4294967295) % s.lanes = s.lane
 group by s.id

-- name: log_holder
-- For processes without a tail of their own: the oldest transaction that has published, or may have, and is still open after
-- a second. A role without pg_read_all_stats does not see when others' transactions began: then there is no row.
select a.pid, a.query, extract(epoch from clock_timestamp() - a.xact_start) * 1000 as age_ms
  from pg_locks l
  join pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
   and l.database = (select oid from pg_database where datname = current_database())
   and l.relation = 'factline.events_position_seq'::regclass
   and a.xact_start < clock_timestamp() - interval '1 second'
 order by a.xact_start
 limit 1
