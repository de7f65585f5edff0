-- The breaker of a consumer, shared by all its processes. $1 is the consumer.

-- name: sample
-- $2 this process, $3 the keys it has worked in the last minute, $4 [{fingerprint, keys}]: the keys that failed. Replaces this
-- process's figures and answers the sums over all processes. Written at most once a second, and only while something fails.
with clock as materialized (
  select factline.clock() as now
), given as materialized (
  select '' as fingerprint, $3::integer as handled_keys, 0 as failed_keys
  union all
  select f.fingerprint, 0, f.keys from json_to_recordset($4::text::json) as f (fingerprint text, keys integer)
), others as materialized (
  select s.fingerprint, s.handled_keys, s.failed_keys from factline.breaker_samples s, clock
  where s.consumer_id = $1::integer and s.process_id <> $2::bigint and s.slice > clock.now - interval '60 seconds'
), gone as (
  delete from factline.breaker_samples s using clock
  where s.consumer_id = $1::integer and (s.process_id = $2::bigint or s.slice < clock.now - interval '10 minutes')
    and s.slice < clock.now
  returning 1
), stored as (
  insert into factline.breaker_samples (consumer_id, process_id, slice, fingerprint, handled_keys, failed_keys)
  select $1::integer, $2::bigint, clock.now, g.fingerprint, g.handled_keys, g.failed_keys from given g, clock
  on conflict do nothing
  returning 1
), sums as (
  select a.fingerprint, sum(a.handled_keys)::integer as keys, sum(a.failed_keys)::integer as failed
  from (select * from given union all select * from others) a
  group by a.fingerprint
)
select coalesce((select keys from sums where fingerprint = ''), 0) as keys,
  coalesce((select json_agg(json_build_object('fingerprint', fingerprint, 'failed', failed)) from sums where fingerprint <> ''),
    '[]'::json) as failures,
  (select b.state from factline.breakers b where b.consumer_id = $1::integer) as state,
  (select count(*) from gone) + (select count(*) from stored) as written

-- name: open
-- $2 kind, $3 fingerprint, $4 reason, $5 code version, $6 milliseconds to the first probe. `opened` = 1 for the process that did it.
with opened as (
  insert into factline.breakers as b (consumer_id, state, kind, fingerprint, reason, code_version, probe_at)
  values ($1::integer, 'open', $2::text, $3::text, $4::text, $5::text,
    factline.clock() + make_interval(secs => $6::double precision / 1000))
  on conflict (consumer_id) do update
    set state = 'open', kind = excluded.kind, fingerprint = excluded.fingerprint, reason = excluded.reason, actor = null,
        code_version = excluded.code_version, opened_at = factline.clock(), probe_at = excluded.probe_at, probing = null
    where b.state = 'closed'
  returning 1
)
select (select count(*) from opened) as opened

-- name: look
-- $2 this process, $3 milliseconds to the next probe: how the breaker stands, and whether the due probe is ours to make.
with claimed as (
  update factline.breakers b
  set probing = $2::bigint, probe_at = factline.clock() + make_interval(secs => $3::double precision / 1000)
  where b.consumer_id = $1::integer and b.state = 'open' and b.kind <> 'person' and b.probe_at <= factline.clock()
  returning 1
)
select b.state, b.kind, b.fingerprint, b.reason, b.code_version, (select count(*) from claimed) as claimed
from factline.breakers b where b.consumer_id = $1::integer

-- name: close
-- $2 who or what closed it.
with closed as (
  update factline.breakers b set state = 'closed', actor = $2::text, probing = null, probe_at = null
  where b.consumer_id = $1::integer and b.state = 'open'
  returning 1
), forgotten as (
  delete from factline.breaker_samples s where s.consumer_id = $1::integer
  returning 1
)
select (select count(*) from closed) as closed, (select count(*) from forgotten) as forgotten

-- name: give_back
-- $2 [{lane, token, position}], $3 the number of lanes, $4 fingerprint: what failed that way in our lanes has all its attempts
-- again, and what was quarantined for it within the last minute is due again.
with wanted as materialized (
  select * from json_to_recordset($2::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), rows as materialized (
  select p.key, p.position, p.state from factline.parked p
  join factline.parked_events e on e.consumer_id = p.consumer_id and e.replay_id = 0 and e.position = p.position
  where p.consumer_id = $1::integer and p.replay_id = 0 and e.fingerprint = $4::text
    and (p.state in ('retrying', 'running') or (p.state = 'quarantined' and p.reason = 'attempts used up'
      and e.last_failed_at > factline.clock() - interval '60 seconds'))
    and (p.key_hash::bigint & 4294967295) % $3::integer in (select lane from fence)
), forgiven as (
  update factline.parked_events e set attempts = 0 from rows r
  where e.consumer_id = $1::integer and e.replay_id = 0 and e.position = r.position
  returning 1
), due as (
  update factline.parked p set state = 'retrying', reason = 'breaker', next_at = factline.clock() from rows r
  where r.state = 'quarantined' and p.consumer_id = $1::integer and p.replay_id = 0 and p.key = r.key and p.position = r.position
  returning 1
)
select (select count(*) from forgiven) as forgiven, (select count(*) from due) as due
