-- What the run of a replay reads and writes. Each write holds only while the replay is under way.

-- name: running_code
-- $1 consumer: the code versions of processes that show a sign of life and declare it.
select distinct p.code_version from factline.processes p
 where p.declared ? $1::integer::text and p.beaten_at > factline.clock() - interval '30 seconds'

-- name: under_way
-- Replays of these consumers that are to be carried out, the oldest first. Due: there is something to do now. Once a second that is a look at
-- the live consumers; events are handed over in lots of half a second, or a hundred, once little is left of those before.
select r.id,
       r.state <> 'running' or r.rate_now is null
       or coalesce(r.looked_at not between factline.clock() - interval '900 milliseconds' and factline.clock() + interval '1 second', true)
       or (r.rate_now > 0
           and coalesce(r.paced_at not between factline.clock() - make_interval(secs => least(0.5, 100 / r.rate_now))
                                           and factline.clock() + make_interval(secs => greatest(5, 2 / r.rate_now)), true)
           and (select count(*) from factline.parked p where p.consumer_id = r.consumer_id and p.replay_id = r.id) < least(r.rate_now, 125)) as due
  from factline.replays r
 where r.consumer_id = any ($1::integer[]) and r.state in ('canary', 'running', 'verifying') order by r.id

-- name: next_selected
-- $1 replay, $2 freeze, $3 after, $4 rows. Served by replay_selection_pkey.
select s.position, s.key_hash from factline.replay_selection s
 where s.replay_id = $1 and s.freeze_number = $2 and s.position > $3 and s.excluded is null order by s.position limit $4

-- name: advance
-- $1 replay, $2 the cursor as read, $3 the new one, $4 how many more were released. No row: paused, aborted, or another runner moved it.
update factline.replays set cursor = $3, released = released + $4
 where id = $1 and cursor = $2 and state in ('canary', 'running') returning state

-- name: note_rate
-- $1 replay, $2 events a second, $3 why it yields or null.
update factline.replays set rate_now = $2, yielding = $3 where id = $1 and state in ('canary', 'running')
returning state

-- name: note_outcome
update factline.replays set outcome = $2::text::jsonb, rate_now = null, yielding = null where id = $1 and state = 'verifying'

-- name: handled_counts
-- $1 replay, $2 freeze, $3 consumer: what became of the selected events so far. The inbox row proves that one was handled.
select (select count(*) from factline.inbox i where i.consumer_id = $3 and i.replay_id = $1) as handled,
       (select count(*) from factline.parked p where p.consumer_id = $3 and p.replay_id = $1 and p.state = 'quarantined') as quarantined,
       (select count(*) from factline.parked p where p.consumer_id = $3 and p.replay_id = $1 and p.state <> 'quarantined') as parked,
       (select count(*) from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null) as selected

-- name: build_share
-- $1 projection, $2 position: how far the build that is on its way has come up to there, 0 to 1; null: none is.
select avg(least(c.position, $2::bigint)::double precision / greatest($2::bigint, 1)) as share
  from factline.consumers k join factline.checkpoints c on c.consumer_id = k.id
 where k.name = $1 and k.state = 'building'

-- name: released_counts
-- As handled_counts, of a replay whose source is the quarantine.
select count(*) filter (where s.outcome = 'handled') as handled, count(*) filter (where s.outcome = 'failed') as quarantined,
       count(*) filter (where s.released_at is not null and s.outcome is null) as parked,
       count(*) filter (where s.excluded is null) as selected
  from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2 and $3::integer is not null

-- name: effects_of_released
-- $1 replay, $2 freeze, $3 consumer: handled for the first time, so its effects are those of life.
select x.name, x.disposition, count(*) as count
  from factline.replay_selection s
  join factline.events e on e.position = s.position
  join factline.effects x on x.consumer_id = $3 and x.replay_id = 0 and x.event_id = e.id and x.state = 'done'
 where s.replay_id = $1 and s.freeze_number = $2 and s.outcome is not null and x.done_at > s.released_at
 group by x.name, x.disposition order by x.name, x.disposition

-- name: failures_of_released
-- $1 replay, $2 freeze, $3 consumer. Known is what it was in quarantine with before.
select f.fingerprint, f.error_code, min(f.error_message) as message, count(*) as count,
       bool_or(f.fingerprint = v.manifest #>> '{selection,fingerprint}') as known
  from factline.replays r
  join factline.replay_revisions v on v.replay_id = r.id and v.revision = r.revision
  join factline.replay_selection s on s.replay_id = r.id and s.freeze_number = $2 and s.outcome = 'failed'
  join factline.parked_events f on f.consumer_id = $3 and f.replay_id = 0 and f.position = s.position
 where r.id = $1 and f.fingerprint is not null
 group by f.fingerprint, f.error_code order by count(*) desc

-- name: effects_of_replay
select x.name, x.disposition, count(*) as count from factline.effects x
 where x.consumer_id = $2 and x.replay_id = $1 group by x.name, x.disposition order by x.name, x.disposition

-- name: failure_groups
select f.fingerprint, f.error_code, min(f.error_message) as message, count(*) as count,
       exists (select from factline.parked_events o where o.consumer_id = $2 and o.replay_id = 0 and o.fingerprint = f.fingerprint) as known
  from factline.parked_events f where f.consumer_id = $2 and f.replay_id = $1 and f.fingerprint is not null
 group by f.fingerprint, f.error_code order by count(*) desc
