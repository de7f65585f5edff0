-- The tables parked and parked_events: retry and quarantine of both classes. Only the lane's owner writes here, so every
-- write is fenced: $1 is the consumer, $2 the replay (0 = live), $3 the fences as JSON [{lane, token, position}], where
-- `position` is the highest position the write touches in that lane. Rows of lanes whose fence fails are left out and
-- the lanes that held are returned; the caller gives up the others.

-- name: park
-- $4 rows [{lane, key, keyHash, position, state, reason, delayMs}], $5 failures [{position, …}] of some of their events.
-- Adds the rows, or changes the state of those that are there; what is quarantined joins the group of its failure. Served by
-- parked_pkey, parked_events_pkey and quarantine_groups_failure.
with wanted as materialized (
  select * from json_to_recordset($3::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer and l.stop_at >= w.position
  for share of l
), given as materialized (
  select r.* from json_to_recordset($4::text::json)
    as r (lane integer, key text, "keyHash" integer, position bigint, state text, reason text, "delayMs" double precision)
  where r.lane in (select lane from fence)
), failures as materialized (
  select f.* from json_to_recordset($5::text::json)
    as f (position bigint, attempts integer, "failureClass" text, code text, message text, stack text, causes jsonb,
      fingerprint text, place text, disposition text, "eventId" uuid, "eventType" text, "contractVersion" text, "codeVersion" text,
      traceparent text)
  where f.position in (select position from given)
), clock as materialized (
  select factline.clock() as at
), grouped as (
  insert into factline.quarantine_groups as q (consumer_id, fingerprint, event_type, error_code, error_message, place, disposition,
    failures, first_code_version, last_code_version, first_seen_at, last_seen_at)
  select $1::integer, f.fingerprint, f."eventType", min(f.code), min(left(f.message, 500)), min(f.place), min(f.disposition),
    count(*), max(f."codeVersion"), max(f."codeVersion"), c.at, c.at
  from failures f cross join clock c
  where f.position in (select position from given where state = 'quarantined')
  group by f.fingerprint, f."eventType", c.at order by f.fingerprint, f."eventType"
  on conflict (consumer_id, fingerprint, event_type) do update
    set failures = q.failures + excluded.failures, last_code_version = excluded.last_code_version, last_seen_at = excluded.last_seen_at
  returning q.id, q.fingerprint, q.event_type
), stored as (
  insert into factline.parked as p (consumer_id, replay_id, key, key_hash, position, state, reason, next_at, group_id)
  select $1::integer, $2::bigint, g.key, g."keyHash", g.position, g.state, g.reason,
    case when g.state = 'retrying' then factline.clock() + make_interval(secs => coalesce(g."delayMs", 0) / 1000) end,
    (select q.id from grouped q join failures f on f.fingerprint = q.fingerprint and f."eventType" = q.event_type
      where f.position = g.position)
  from given g order by g.key, g.position
  on conflict (consumer_id, replay_id, key, position) do update
    set state = excluded.state, reason = excluded.reason, next_at = excluded.next_at,
        group_id = coalesce(excluded.group_id, p.group_id)
  returning p.id, p.key, p.position
), failed as (
  insert into factline.parked_events as e (consumer_id, replay_id, position, attempts, failure_class, error_code, error_message,
    error_stack, error_causes, fingerprint, history, event_id, event_type, contract_version, code_version, traceparent,
    first_failed_at, last_failed_at)
  select $1::integer, $2::bigint, f.position, f.attempts, f."failureClass", f.code, f.message, f.stack, f.causes, f.fingerprint,
    jsonb_build_array(jsonb_build_object('at', c.at, 'attempt', f.attempts, 'class', f."failureClass", 'code', f.code,
      'message', f.message, 'fingerprint', f.fingerprint, 'codeVersion', f."codeVersion")),
    f."eventId", f."eventType", f."contractVersion", f."codeVersion", f.traceparent, c.at, c.at
  from failures f cross join clock c
  on conflict (consumer_id, replay_id, position) do update
    set attempts = excluded.attempts, failure_class = excluded.failure_class, error_code = excluded.error_code,
        error_message = excluded.error_message, error_stack = excluded.error_stack, error_causes = excluded.error_causes,
        fingerprint = excluded.fingerprint, code_version = excluded.code_version, traceparent = excluded.traceparent,
        event_id = excluded.event_id, event_type = excluded.event_type, contract_version = excluded.contract_version,
        killed_attempts = 0, incarnation = null, kills = '[]',
        history = case when jsonb_array_length(e.history) < 30 then e.history else e.history - 0 end || excluded.history,
        first_failed_at = coalesce(e.first_failed_at, excluded.first_failed_at), last_failed_at = excluded.last_failed_at
  returning 1
)
select coalesce((select json_agg(lane) from fence), '[]'::json) as lanes,
  coalesce((select json_agg(json_build_object('id', id, 'key', key, 'position', position)) from stored), '[]'::json) as rows,
  (select count(*) from failed) as failures

-- name: take_rows
-- $4 key, $5 rows at most. The next rows of one key become `running`, up to the first that is
-- quarantined or not due yet; the caller then reads their events and runs them in order. Served by parked_pkey.
with wanted as materialized (
  select * from json_to_recordset($3::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = w.token
  where l.consumer_id = $1::integer
  for share of l
), next as materialized (
  select p.position, p.state,
    bool_or(p.state = 'quarantined' or coalesce(p.next_at > factline.clock(), false)) over (order by p.position) as stopped
  from factline.parked p
  where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.key = $4::text
  order by p.position limit $5::integer
), taken as (
  update factline.parked p set state = 'running', next_at = null
  from next n
  where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.key = $4::text and p.position = n.position
    and not n.stopped and exists (select from fence)
  returning p.id, p.position, n.state as was
)
select (select count(*) from fence) as fenced,
  exists (select from factline.parked p
    where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.key = $4::text
      and p.position > coalesce((select max(position) from taken), 0)) as more,
  coalesce((select json_agg(json_build_object('id', t.id, 'position', t.position, 'was', t.was,
      'attempts', coalesce(e.attempts, 0),
      'failed', e.failure_class is not null, 'envelope', e.envelope, 'edited', e.edited::text, 'repair', e.repair) order by t.position)
    from taken t left join factline.parked_events e
      on e.consumer_id = $1::integer and e.replay_id = $2::bigint and e.position = t.position), '[]'::json) as rows

-- name: keys_of_lanes
-- $3 the number of lanes, $4 lanes: what stands at the head of each parked key of these lanes. Called after a takeover.
select distinct on (p.key) p.key, p.key_hash, p.id, p.position, p.state, p.reason,
  extract(epoch from p.next_at - factline.clock()) * 1000 as delay_ms
from factline.parked p
where p.consumer_id = $1::integer and p.replay_id = $2::bigint
  and (p.key_hash::bigint & 4294967295) % $3::integer = any($4::integer[])
order by p.key, p.position

-- name: positions_above
-- $3 the number of lanes, $4 lanes, $5 the lowest of their checkpoints: parked positions that reading would meet again.
select distinct p.position
from factline.parked p
where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.position > $5::bigint
  and (p.key_hash::bigint & 4294967295) % $3::integer = any($4::integer[])

-- name: due_keys
-- $3 the number of lanes, $4 lanes: keys whose retry is due, and how long the next one takes. Served by parked_due.
with mine as materialized (
  select p.key, p.next_at from factline.parked p
  where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.state = 'retrying'
    and (p.key_hash::bigint & 4294967295) % $3::integer = any($4::integer[])
), clock as materialized (select factline.clock() as now)
select coalesce((select json_agg(key) from (select key from mine, clock where next_at <= clock.now order by next_at limit 1000) d),
    '[]'::json) as keys,
  exists (select from factline.replays r where r.consumer_id = $1::integer and r.state in ('canary', 'running', 'verifying'))
    as replayed,
  (select extract(epoch from min(next_at) - min(clock.now)) * 1000 from mine, clock where next_at > clock.now) as next_ms

-- name: find
-- $1 the numbers that people type.
select p.id, p.consumer_id, p.replay_id, p.key, p.key_hash, p.position, p.state, p.reason, p.next_at, p.parked_at,
  coalesce(e.attempts, 0) as attempts, e.event_id, e.event_type, e.error_code, e.error_message, e.failure_class
from factline.parked p
left join factline.parked_events e
  on e.consumer_id = p.consumer_id and e.replay_id = p.replay_id and e.position = p.position
where p.id = any ($1::bigint[])
order by p.key, p.position

-- name: release_rows
-- $4 [{lane, key, position}]: a person wants these tried again, with all their attempts. What happened so far stays on record. Rows
-- of lanes whose fence fails are left out.
with wanted as materialized (
  select * from json_to_recordset($3::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), given as materialized (
  select g.key, g.position from json_to_recordset($4::text::json) as g (lane integer, key text, position bigint)
  where g.lane in (select lane from fence)
), released as (
  update factline.parked p set state = 'waiting', reason = 'retry requested', next_at = null
  from given g
  where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.key = g.key and p.position = g.position
    and p.state in ('quarantined', 'retrying', 'waiting')
  returning p.position
), forgiven as (
  update factline.parked_events e set attempts = 0, killed_attempts = 0, kills = '[]', incarnation = null
  from released r
  where e.consumer_id = $1::integer and e.replay_id = $2::bigint and e.position = r.position
  returning 1
)
select coalesce((select json_agg(lane) from fence), '[]'::json) as lanes,
  coalesce((select json_agg(position) from released), '[]'::json) as released, (select count(*) from forgiven) as forgiven

-- name: discard_row
-- $4 key, $5 key hash, $6 position, $7 the request, $8 its answer: the inbox row takes the place of the parked one, so that the
-- event counts as dealt with. All that was known of it goes to quarantine_discards, with who decided it and why.
with wanted as materialized (
  select * from json_to_recordset($3::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), gone as (
  delete from factline.parked p
  where p.consumer_id = $1::integer and p.replay_id = $2::bigint and p.key = $4::text and p.position = $6::bigint
    and p.state <> 'running' and exists (select from fence)
  returning p.id, p.position, p.group_id
), known as (
  delete from factline.parked_events e using gone g
  where e.consumer_id = $1::integer and e.replay_id = $2::bigint and e.position = g.position
  returning e.position, to_jsonb(e) as record
), handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, $5::integer, g.position from gone g
  on conflict do nothing
  returning 1
), kept as (
  insert into factline.quarantine_discards (parked_id, consumer_id, position, keys, group_id, followers, record, actor, reason)
  select g.id, $1::integer, g.position, jsonb_build_array(jsonb_build_object('key', $4::text, 'keyHash', $5::integer)), g.group_id,
    (select count(*) from factline.parked w
      where w.consumer_id = $1::integer and w.replay_id = $2::bigint and w.key = $4::text and w.position > g.position),
    k.record, r.actor, coalesce(r.reason, '')
  from gone g left join known k on k.position = g.position join factline.requests r on r.id = $7::bigint
  on conflict (parked_id) do update
    set followers = excluded.followers, record = excluded.record, actor = excluded.actor, reason = excluded.reason,
        discarded_at = excluded.discarded_at, restore_until = excluded.restore_until, restored_at = null
  returning 1
), answered as (
  update factline.requests r set state = 'done', answer = $8::text::jsonb, answered_at = factline.clock()
  where r.id = $7::bigint and r.state = 'open' and exists (select from gone)
  returning 1
)
select (select count(*) from fence) as fenced, (select count(*) from gone) as discarded,
  (select count(*) from kept) + (select count(*) from handled) + (select count(*) from answered) as touched

-- name: find_discarded
-- $1 the number, $2 positions that are looked at behind it. An event of its key that the consumer has handled since? `seen_all`: it was
-- looked at everything behind it.
select d.parked_id as id, d.consumer_id, d.position, d.keys, d.followers, d.restored_at is not null as restored,
  d.restore_until < factline.clock() as over,
  w.seen_all, w.later
from factline.quarantine_discards d
join factline.consumers c on c.id = d.consumer_id
cross join lateral (
  select count(*) < $2::integer as seen_all, min(e.position) filter (where
      e.type = any (c.types) and c.ordering <> 'none'
      and (c.ordering = 'global' or e.key = (select l.key from factline.events l where l.position = d.position))
      and not exists (select from factline.parked p
        where p.consumer_id = d.consumer_id and p.replay_id = 0 and p.position = e.position)
      and (exists (select from factline.inbox i
          where i.consumer_id = d.consumer_id and i.replay_id = 0 and i.position = e.position)
        or e.position <= (select k.position from factline.checkpoints k
          where k.consumer_id = d.consumer_id and k.lane = ((d.keys -> 0 ->> 'keyHash')::bigint & 4294967295)
            % (select count(*) from factline.checkpoints n where n.consumer_id = d.consumer_id)))) as later
  from (select position, type, key from factline.events where position > d.position order by position limit $2::integer) e
) w
where d.parked_id = $1::bigint

-- name: restore_rows
-- $4 the number, $5 its lane: back into quarantine under its number, with what was known of it, and no longer counted as handled.
with wanted as materialized (
  select * from json_to_recordset($3::text::json) as f (lane integer, token bigint, position bigint)
), fence as materialized (
  select l.lane from factline.lanes l join wanted w on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), chosen as (
  update factline.quarantine_discards d set restored_at = factline.clock()
  where d.parked_id = $4::bigint and d.consumer_id = $1::integer and d.restored_at is null and exists (select from fence)
  returning d.parked_id, d.position, d.keys, d.group_id, d.record
), unhandled as (
  delete from factline.inbox i using chosen c
  where i.consumer_id = $1::integer and i.replay_id = $2::bigint and i.position = c.position
  returning 1
), rows as (
  insert into factline.parked (id, consumer_id, replay_id, key, key_hash, position, state, reason, group_id) overriding system value
  select case when k.ordinal = 1 then c.parked_id else nextval(pg_get_serial_sequence('factline.parked', 'id')) end,
    $1::integer, $2::bigint, k.value ->> 'key', (k.value ->> 'keyHash')::integer, c.position, 'quarantined', 'restored', c.group_id
  from chosen c cross join jsonb_array_elements(c.keys) with ordinality as k (value, ordinal)
  returning key
), known as (
  insert into factline.parked_events
  select (jsonb_populate_record(null::factline.parked_events, c.record)).* from chosen c where c.record is not null
  on conflict do nothing
  returning 1
)
select (select count(*) from fence) as fenced, coalesce((select json_agg(key order by key) from rows), '[]'::json) as keys,
  (select count(*) from unhandled) + (select count(*) from known) as touched
