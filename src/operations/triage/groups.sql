-- Groups of like failures. $1 a consumer's name or null, $2 a group or null, $3 whether groups without an event in quarantine come
-- as well, $4 groups at most, $5 parked rows that are looked at: what is counted is then a lower bound.

-- name: list_groups
-- One pass over the quarantined rows (parked_group) and one over everything parked; both end at $5. Hashes only, no sorts:
-- 100,000 keys with as many followers are listed in a moment (groups.int.test.ts).
with quarantined as materialized (
  select p.group_id, p.consumer_id, p.key, p.position, p.parked_at
    from factline.parked p
   where p.state = 'quarantined' and p.replay_id = 0 and p.group_id is not null
   limit $5
), by_key as materialized (
  select group_id, consumer_id, key, min(position) as position, min(parked_at) as parked_at
    from quarantined group by group_id, consumer_id, key
), held as (
  select k.group_id, count(*) as keys, min(k.parked_at) as oldest from by_key k group by k.group_id
), events as (
  select d.group_id, count(*) as events from (select distinct group_id, position from quarantined) d group by d.group_id
), looked_at as materialized (
  select p.consumer_id, p.key, p.position, p.state from factline.parked p where p.replay_id = 0 limit $5
), behind as (
  select h.group_id, count(*) as followers
    from looked_at w join by_key h on h.consumer_id = w.consumer_id and h.key = w.key and h.position < w.position
   where w.state <> 'quarantined'
   group by h.group_id
), clock as materialized (select factline.clock() as now), groups as (
select g.id, g.consumer_id, c.name as consumer, c.class, c.app, c.state as consumer_state, g.event_type, g.fingerprint,
       g.error_code, g.error_message, g.place, g.disposition, g.failures, g.first_code_version, g.last_code_version,
       g.first_seen_at, g.last_seen_at, g.assigned_to, g.assigned_at, g.snoozed_until,
       coalesce(g.snoozed_until > clock.now, false) as snoozed, g.escalation, g.growing, g.watched_at, g.watched_keys,
       extract(epoch from clock.now - g.watched_at) * 1000 as watched_ms,
       coalesce(v.events, 0) as events, coalesce(h.keys, 0) as keys, h.oldest as oldest_at,
       extract(epoch from clock.now - h.oldest) * 1000 as oldest_ms,
       coalesce(b.followers, 0) as followers,
       (select count(*) >= $5 from looked_at) as partly,
       sum(coalesce(h.keys, 0)) over (partition by g.consumer_id) as keys_of_consumer,
       exists (select from factline.breakers k
                where k.consumer_id = g.consumer_id and k.state = 'open' and k.fingerprint = g.fingerprint) as tripped_breaker,
       t.owner,
       (select count(*) from factline.quarantine_notes n where n.group_id = g.id) as notes,
       (select r.id from factline.quarantine_releases r where r.group_id = g.id and r.state in ('canary', 'releasing')) as release
  from factline.quarantine_groups g
 cross join clock
  join factline.consumers c on c.id = g.consumer_id
  left join held h on h.group_id = g.id
  left join events v on v.group_id = g.id
  left join behind b on b.group_id = g.id
  left join factline.contract_terms t on t.app = c.app and t.type = g.event_type
)
select * from groups
 where ($1::text is null or consumer = $1) and ($2::bigint is null or id = $2) and ($3 or events > 0)
 order by keys desc, last_seen_at desc, id
 limit $4

-- name: list_notes
select id, author, text, noted_at from factline.quarantine_notes where group_id = $1 order by id desc limit 100

-- name: assign
-- $2 null: nobody's again.
update factline.quarantine_groups
   set assigned_to = $2, assigned_at = case when $2::text is null then null else factline.clock() end
 where id = $1 returning id

-- name: snooze
-- $2 milliseconds; 0: no longer.
update factline.quarantine_groups
   set snoozed_until = case when $2::double precision > 0 then factline.clock() + make_interval(secs => $2 / 1000) end
 where id = $1 returning snoozed_until

-- name: note
insert into factline.quarantine_notes (group_id, author, text)
select g.id, $2, $3 from factline.quarantine_groups g where g.id = $1 returning id

-- name: raise_alerts
-- $1 [{id, watchedAt, escalation, keys, growing, alerts: [{kind, level, facts}]}]: what the detector has seen of each group. A group that
-- somebody else has looked at since is left to them; the alerts of the others are written and answered.
with seen as materialized (
  select * from jsonb_to_recordset($1::text::jsonb)
    as s (id bigint, "watchedAt" timestamptz, escalation integer, keys bigint, growing boolean, alerts jsonb)
), moved as (
  update factline.quarantine_groups g
     set watched_at = factline.clock(), watched_keys = s.keys, growing = s.growing, escalation = s.escalation
    from seen s
   where g.id = s.id and g.watched_at is not distinct from s."watchedAt"
  returning g.id, s.alerts
)
insert into factline.quarantine_alerts (group_id, kind, level, facts)
select m.id, a.value ->> 'kind', (a.value ->> 'level')::integer, a.value -> 'facts'
  from moved m cross join jsonb_array_elements(m.alerts) a
returning group_id, kind, level
