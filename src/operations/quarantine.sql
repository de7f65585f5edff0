-- Parked events as people look at them. Read by the command line; rows of replays are left out.

-- name: list_parked
-- $1 consumer name or null, $2 states, $3 after this number, $4 rows, $5 group or null. In the order of their numbers (parked_id). What waits
-- behind an event counts later rows of its key, up to 1,000.
select p.id, c.name as consumer, c.class, c.build, p.key, p.position, p.state, p.reason, p.next_at, p.parked_at,
       p.group_id, (select min(s.value) from unnest(t.key) k, jsonb_each_text(t.sensitivity) s where s.key = k or starts_with(k, s.key || '.')) as key_level,
       coalesce(f.attempts, 0) as attempts, f.failure_class, f.error_code, f.error_message, f.fingerprint,
       coalesce(f.event_type, e.type) as type, coalesce(f.event_id, e.id) as event_id, e.recorded_at,
       (select count(*) from (
          select 1 from factline.parked w
           where w.consumer_id = p.consumer_id and w.replay_id = 0 and w.key = p.key and w.position > p.position
           limit 1000) b) as waiting
  from factline.parked p
  join factline.consumers c on c.id = p.consumer_id
  left join factline.parked_events f on f.consumer_id = p.consumer_id and f.replay_id = p.replay_id and f.position = p.position
  left join factline.events e on e.position = p.position
  left join factline.contract_terms t on t.app = c.app and t.type = coalesce(f.event_type, e.type)
 where p.replay_id = 0 and p.id > $3 and p.state = any ($2::text[]) and ($1::text is null or c.name = $1)
   and ($5::bigint is null or p.group_id = $5)
 order by p.id
 limit $4

-- name: show_parked
-- $1 the number.
select p.id, p.group_id, (select min(s.value) from unnest(t.key) k, jsonb_each_text(t.sensitivity) s where s.key = k or starts_with(k, s.key || '.')) as key_level,
       p.consumer_id, c.app, c.name as consumer, c.class, c.build, p.key, p.position, p.state, p.reason, p.next_at,
       p.parked_at,
       coalesce(f.attempts, 0) as attempts, coalesce(f.killed_attempts, 0) as killed_attempts,
       f.failure_class, f.error_code, f.error_message, f.error_stack, coalesce(f.error_causes, '[]') as error_causes, f.fingerprint,
       coalesce(f.history, '[]') as history, f.contract_version, f.code_version, f.traceparent,
       f.first_failed_at, f.last_failed_at,
       coalesce(f.event_type, e.type) as type, coalesce(f.event_id, e.id) as event_id, e.source, e.time, e.recorded_at,
       coalesce(f.edited, e.data, f.envelope -> 'data') as data, coalesce(e.meta, f.envelope -> 'meta') as meta,
       (select count(*) from (
          select 1 from factline.parked w
           where w.consumer_id = p.consumer_id and w.replay_id = 0 and w.key = p.key and w.position > p.position
           limit 1000) b) as waiting,
       (select coalesce(json_agg(json_build_object('name', x.name, 'state', x.state, 'idempotencyKey', x.idempotency_key,
                                                   'startedAt', x.started_at, 'doneAt', x.done_at, 'result', x.result) order by x.started_at), '[]')
          from factline.effects x
         where x.consumer_id = p.consumer_id and x.replay_id = 0 and x.event_id = coalesce(f.event_id, e.id)) as effects,
       (select coalesce(json_agg(json_build_object('id', r.id, 'verb', r.verb, 'actor', r.actor, 'reason', r.reason, 'state', r.state,
                                                   'requestedAt', r.requested_at, 'answer', r.answer) order by r.id), '[]')
          from factline.requests r where r.parked_id = p.id and r.consumer_id = p.consumer_id and r.verb <> 'release') as requests,
       (select coalesce(json_agg(json_build_object('release', i.release_id, 'actor', s.actor, 'state', i.state, 'sentAt', i.sent_at,
                                                   'endedAt', i.ended_at, 'failure', i.failure) order by i.release_id), '[]')
          from factline.quarantine_release_items i join factline.quarantine_releases s on s.id = i.release_id
         where i.parked_id = p.id) as releases
  from factline.parked p
  join factline.consumers c on c.id = p.consumer_id
  left join factline.parked_events f on f.consumer_id = p.consumer_id and f.replay_id = p.replay_id and f.position = p.position
  left join factline.events e on e.position = p.position
  left join factline.contract_terms t on t.app = c.app and t.type = coalesce(f.event_type, e.type)
 where p.id = $1

-- name: find_consumer
-- $1 the name, also an earlier one. The build that is read comes first.
select c.id, c.app, c.name, c.class, c.build, c.version, c.state
  from factline.consumers c
 where (c.name = $1 or $1 = any (c.former_names)) and c.state <> 'retired'
 order by c.state = 'live' desc, c.build desc
 limit 1

-- name: consumer_names
-- What people call a consumer: versions of workflows (NAME@VERSION) are not among them.
select distinct name from factline.consumers where state <> 'retired' and strpos(name, '@') = 0 order by name

-- name: request
-- $1 consumer, $2 verb, $3 parked number or null, $4 arguments, $5 actor, $6 reason. Wakes the owners at the commit.
with made as (
  insert into factline.requests (consumer_id, verb, parked_id, arguments, actor, reason)
  values ($1, $2, $3, $4::text::jsonb, $5, $6)
  returning id, consumer_id)
select m.id, pg_notify('factline_requests', m.consumer_id::text) from made m

-- name: read_request
select r.state, r.answer from factline.requests r where r.id = $1

-- name: retry_outcome
-- $1 the request: what has become of the event since. No parked row any more: it was handled.
select p.state, f.attempts, f.error_message, extract(epoch from p.next_at - factline.clock()) * 1000 as next_ms,
       coalesce(f.last_failed_at > r.requested_at, false) as failed_since
  from factline.requests r
  left join factline.parked p on p.id = r.parked_id and p.consumer_id = r.consumer_id
  left join factline.parked_events f on f.consumer_id = p.consumer_id and f.replay_id = p.replay_id and f.position = p.position
 where r.id = $1
