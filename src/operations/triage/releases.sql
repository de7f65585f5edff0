-- Releases of groups. The states and what follows from what: release-state.ts.

-- name: lock_group
-- $1 the group. Two people who ask at once come one after the other.
select g.id, c.state as consumer_state
  from factline.quarantine_groups g join factline.consumers c on c.id = g.consumer_id
 where g.id = $1 for update of g

-- name: active_release
-- $1 the group. After its lock, in a snapshot of its own.
select id, actor from factline.quarantine_releases where group_id = $1 and state in ('canary', 'releasing')

-- name: freeze
-- $1 the group, $2 events of the canary, $3 events a second, $4 failures at which it stops, $5 who, $6 why. The selection is what is in
-- quarantine now, by position, so that the events of each key are in order; nothing is ever added to it.
with chosen as materialized (
  select p.position, min(p.id) as parked_id, (array_agg(p.key order by p.id))[1] as key,
         (array_agg(p.key_hash order by p.id))[1] as key_hash, row_number() over (order by p.position) as ordinal
    from factline.parked p
   where p.group_id = $1::bigint and p.state = 'quarantined' and p.replay_id = 0
   group by p.position
), made as (
  insert into factline.quarantine_releases (group_id, consumer_id, state, actor, reason, rate, stop_after, canary, selected, digest)
  select g.id, g.consumer_id, case when $2::integer > 0 then 'canary' else 'releasing' end, $5, $6, $3::double precision, $4::integer,
         least($2::integer, t.events), t.events, t.digest
    from factline.quarantine_groups g
   cross join (select count(*)::integer as events,
                      encode(sha256(convert_to(string_agg(parked_id || ':' || position, ',' order by ordinal), 'UTF8')), 'hex') as digest
                 from chosen) t
   where g.id = $1::bigint and t.events > 0
  returning id, selected, canary, digest
), items as (
  insert into factline.quarantine_release_items (release_id, ordinal, parked_id, position, key, key_hash, phase)
  select m.id, c.ordinal, c.parked_id, c.position, c.key, c.key_hash, case when c.ordinal <= m.canary then 'canary' else 'rest' end
    from made m cross join chosen c
)
select id, selected, digest from made

-- name: cancel
update factline.quarantine_releases set state = 'cancelled', outcome = $2, ended_at = factline.clock()
 where id = $1 and state in ('canary', 'releasing') returning id

-- name: active_releases
-- Those that have ended, too, until everything that was sent has.
select id from factline.quarantine_releases where state in ('canary', 'releasing')
union select release_id from factline.quarantine_release_items where state = 'sent' order by id

-- name: try_lock
-- One process drives at a time; the next pass of another goes on where this one ended.
select pg_try_advisory_xact_lock(hashtext('factline.drive_releases')) as locked

-- name: settle
-- $1 the release: what the consumer has confirmed of what was sent. No parked row any more means handled, since the row goes in the
-- transaction that proves it; what a person has discarded meanwhile is gone. What was not let go (the lane had moved on) is sent again.
with looked as materialized (
  select i.ordinal, e.error_message,
         case when p.id is null and exists (select from factline.quarantine_discards d
                                             where d.parked_id = i.parked_id and d.restored_at is null) then 'gone'
              when p.id is null then 'handled'
              when p.state <> 'quarantined' then 'sent'
              when e.last_failed_at > i.sent_at then 'failed'
              when r.state <> 'open' then 'selected'
              else 'sent' end as state
    from factline.quarantine_release_items i
    left join factline.parked p on p.id = i.parked_id
    left join factline.parked_events e
      on e.consumer_id = p.consumer_id and e.replay_id = p.replay_id and e.position = p.position
    left join factline.requests r on r.id = i.request_id
   where i.release_id = $1::bigint and i.state = 'sent'
)
update factline.quarantine_release_items i
   set state = l.state, ended_at = case when l.state <> 'selected' then factline.clock() end,
       failure = case when l.state = 'failed' then left(l.error_message, 500) end
  from looked l
 where i.release_id = $1::bigint and i.ordinal = l.ordinal and l.state <> 'sent'

-- name: release_facts
-- $1 releases. How the items of each stand.
select r.id, r.group_id, r.consumer_id, c.name as consumer, r.state, r.actor, r.reason, r.rate, r.stop_after, r.canary, r.selected,
       r.digest, r.outcome, r.created_at, r.ended_at, c.state as consumer_state,
       r.next_send_at <= factline.clock() as due,
       (select coalesce(json_object_agg(n.phase, n.counts), '{}')
          from (select s.phase, json_object_agg(s.state, s.items) as counts
                  from (select i.phase, i.state, count(*) as items from factline.quarantine_release_items i
                         where i.release_id = r.id group by i.phase, i.state) s
                 group by s.phase) n) as counts,
       (select i.failure from factline.quarantine_release_items i
         where i.release_id = r.id and i.state = 'failed' order by i.ordinal limit 1) as first_failure
  from factline.quarantine_releases r join factline.consumers c on c.id = r.consumer_id
 where r.id = any ($1::bigint[])
 order by r.id

-- name: latest_releases
-- $1 how many.
select id from factline.quarantine_releases order by ended_at is null desc, id desc limit $1

-- name: move_on
-- $2 the state, $3 why it ended.
update factline.quarantine_releases
   set state = $2, outcome = $3, ended_at = case when $2 in ('canary', 'releasing') then null else factline.clock() end
 where id = $1 and state in ('canary', 'releasing')

-- name: send
-- $1 the release, $2 the phase, $3 events at most: the next of the selection go to the owners of their lanes, up to 100 in a request.
-- What is not parked any more is gone.
with next as materialized (
  select i.ordinal, i.parked_id, i.key_hash, p.id is not null as there
    from factline.quarantine_release_items i left join factline.parked p on p.id = i.parked_id
   where i.release_id = $1::bigint and i.phase = $2 and i.state = 'selected'
   order by i.ordinal limit $3
), release as materialized (
  update factline.quarantine_releases r
     set next_send_at = greatest(r.next_send_at, factline.clock())
                        + make_interval(secs => (select count(*) from next where there) / r.rate)
   where r.id = $1::bigint and r.state in ('canary', 'releasing')
  returning r.consumer_id, r.actor, r.reason
), missing as (
  update factline.quarantine_release_items i set state = 'gone', ended_at = factline.clock()
    from next n, release
   where i.release_id = $1::bigint and i.ordinal = n.ordinal and not n.there
), laned as (
  select n.ordinal, n.parked_id,
         (n.key_hash::bigint & 4294967295) % greatest(1, (select count(*) from factline.lanes l where l.consumer_id = release.consumer_id)) as lane
    from next n cross join release where n.there
), batches as (
  select lane, batch, array_agg(parked_id order by ordinal) as ids
    from (select l.*, (row_number() over (partition by lane order by ordinal) - 1) / 100 as batch from laned l) b
   group by lane, batch
), wishes as (
  insert into factline.requests (consumer_id, verb, parked_id, arguments, actor, reason)
  select release.consumer_id, 'release', b.ids[1], jsonb_build_object('ids', b.ids, 'release', $1::bigint), release.actor, release.reason
    from batches b cross join release
  returning id, consumer_id, arguments
), sent as (
  update factline.quarantine_release_items i set state = 'sent', request_id = w.id, sent_at = factline.clock()
    from wishes w cross join jsonb_array_elements_text(w.arguments -> 'ids') as a (parked_id), next n
   where i.release_id = $1::bigint and i.ordinal = n.ordinal and n.parked_id = a.parked_id::bigint
  returning 1
)
select (select count(*) from sent) as sent,
       (select pg_notify('factline_requests', consumer_id::text) from wishes limit 1) as told
