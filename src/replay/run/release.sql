-- Carrying out replays whose source is the quarantine: what waits there goes to the owners of the lanes as requests, as a release
-- of a group does. What their consumers make of it is read from the parked rows, and kept with the selection.

-- name: settle_released
-- $1 consumers. No parked row any more means handled, since it goes in the transaction that proves it, or discarded by a person
-- meanwhile. Also of replays that are paused or have ended: what was sent ends by itself. Served by replay_selection_at_work.
with looked as materialized (
  select s.replay_id, s.freeze_number, s.position,
         case when p.id is null and exists (select from factline.quarantine_discards d
                                             where d.consumer_id = r.consumer_id and d.position = s.position and d.restored_at is null) then 'discarded'
              when p.id is null then 'handled'
              when p.state = 'quarantined' and e.last_failed_at > s.released_at then 'failed' end as outcome
    from factline.replays r
    join factline.replay_selection s on s.replay_id = r.id and s.freeze_number = r.freeze_number
    left join factline.parked p on p.consumer_id = r.consumer_id and p.replay_id = 0 and p.position = s.position
    left join factline.parked_events e on e.consumer_id = r.consumer_id and e.replay_id = 0 and e.position = s.position
   where r.mode = 'release' and r.consumer_id = any ($1::integer[]) and s.released_at is not null and s.outcome is null
)
update factline.replay_selection s set outcome = l.outcome
  from looked l
 where s.replay_id = l.replay_id and s.freeze_number = l.freeze_number and s.position = l.position and l.outcome is not null

-- name: release_facts
-- As run_facts of run.sql: $1 replay, $2 freeze, $3 consumer. `unheard`: an owner has answered without letting it go, since its lane
-- had moved on. Served by the indexes of what is at work and what has failed.
select (select count(*) from factline.replay_selection s
         where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.outcome = 'failed') as failed,
       0 as behind,
       (select count(*) from factline.replay_selection s
         where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.released_at is not null and s.outcome is null) as outstanding,
       (select coalesce(json_object_agg(f.fingerprint, f.count), '{}') from (
          select e.fingerprint, count(*) from factline.replay_selection s
            join factline.parked_events e on e.consumer_id = $3::integer and e.replay_id = 0 and e.position = s.position
           where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.outcome = 'failed' and e.fingerprint is not null
           group by e.fingerprint) f) as fingerprints,
       (select json_build_object('elapsed', case when r.paced_at <= factline.clock() + make_interval(secs => greatest(5, 2 / coalesce(nullif(r.rate_now, 0), 1)))
                                         then extract(epoch from factline.clock() - r.paced_at) end, 'seen', r.failures_seen)
          from factline.replays r where r.id = $1::bigint) as run,
       (select count(*) from factline.replay_selection s
          join factline.parked p on p.consumer_id = $3::integer and p.replay_id = 0 and p.position = s.position and p.state = 'quarantined'
          left join factline.parked_events e on e.consumer_id = $3::integer and e.replay_id = 0 and e.position = s.position
          left join factline.requests q on q.id = s.request_id
         where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.released_at is not null and s.outcome is null
           and q.state is distinct from 'open' and (e.last_failed_at > s.released_at) is not true) as unheard

-- name: ask_for_release
-- $1 replay, $2 freeze, $3 consumer, $4 positions that are handed over now, $5 who, $6 why: up to 100 events in a request, by lane. What an
-- owner has answered without letting it go is asked for again; what has failed since has been let go, though nobody noted it yet. Of what
-- nobody parks any more only the moment is noted.
with wanted as materialized (
  select s.position, p.id as parked_id, p.key_hash
    from factline.replay_selection s
    left join factline.parked p on p.consumer_id = $3::integer and p.replay_id = 0 and p.position = s.position and p.state = 'quarantined'
    left join factline.parked_events e on e.consumer_id = $3::integer and e.replay_id = 0 and e.position = s.position
    left join factline.requests q on q.id = s.request_id
   where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.outcome is null
     and (s.position = any ($4::bigint[])
          or (s.released_at is not null and p.id is not null and q.state is distinct from 'open'
              and (e.last_failed_at > s.released_at) is not true))
), laned as (
  select w.position, w.parked_id,
         (w.key_hash::bigint & 4294967295) % greatest(1, (select count(*) from factline.lanes l where l.consumer_id = $3::integer)) as lane
    from wanted w where w.parked_id is not null
), batches as (
  select array_agg(parked_id order by position) as ids
    from (select l.*, (row_number() over (partition by lane order by position) - 1) / 100 as batch from laned l) b
   group by lane, batch
), asked as (
  insert into factline.requests (consumer_id, verb, parked_id, arguments, actor, reason)
  select $3::integer, 'release', b.ids[1], jsonb_build_object('ids', b.ids, 'replay', $1::bigint), $5, $6 from batches b
  returning id, consumer_id, arguments
), noted as (
  update factline.replay_selection s
     set released_at = factline.clock(),
         request_id = (select a.id from asked a where a.arguments -> 'ids' @> to_jsonb(w.parked_id))
    from wanted w
   where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.position = w.position
  returning 1
)
select (select count(*) from noted) as noted, (select pg_notify('factline_requests', consumer_id::text) from asked limit 1) as told

-- name: unreleased
-- $1 replay, $2 freeze: selected events of which nobody knows what became of them.
select count(*) as count, min(s.position) as first from factline.replay_selection s
 where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.excluded is null and s.outcome is null

-- name: withdraw_releases
-- $1 consumers: what was asked for in the name of a replay that was aborted, and that no owner has heard.
update factline.requests q set state = 'refused', answer = '{"reason": "the replay has ended"}', answered_at = factline.clock()
  from factline.replays r
 where q.state = 'open' and q.verb = 'release' and q.consumer_id = any ($1::integer[]) and r.id = (q.arguments ->> 'replay')::bigint
   and r.state in ('aborted', 'failed')
