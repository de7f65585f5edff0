-- Carrying out replays that redeliver. Every running process may be the one that does the next pass; what it has to know is here.

-- name: run_facts
-- $1 replay, $2 consumer: what became of the rows that were handed over and are not handled. A row behind a quarantined one of its key
-- waits for good. `elapsed`: seconds since events were last handed over; null too when the clock was set back since. Served by parked_pkey.
with rows as (
  select p.position, p.state, bool_or(p.state = 'quarantined') over (partition by p.key order by p.position) as stopped
  from factline.parked p where p.consumer_id = $2::integer and p.replay_id = $1::bigint
)
select count(*) filter (where state = 'quarantined') as failed,
  count(*) filter (where stopped and state <> 'quarantined') as behind,
  count(*) filter (where not stopped) as outstanding,
  (select coalesce(json_object_agg(f.fingerprint, f.count), '{}') from (
     select e.fingerprint, count(*) from rows x join factline.parked_events e
       on e.consumer_id = $2::integer and e.replay_id = $1::bigint and e.position = x.position
     where x.state = 'quarantined' and e.fingerprint is not null group by e.fingerprint) f) as fingerprints,
  (select json_build_object('elapsed', case when r.paced_at <= factline.clock() + make_interval(secs => greatest(5, 2 / coalesce(nullif(r.rate_now, 0), 1)))
                                         then extract(epoch from factline.clock() - r.paced_at) end, 'seen', r.failures_seen)
     from factline.replays r where r.id = $1::bigint) as run
from rows

-- name: claim_look
-- $1 replay: a row for one process in each second, with the seconds of the clock, the highest position given, and whether an owner has found
-- since the last look that live events take longer beside it. A look that lies ahead was made before the clock was set back: it holds nobody up.
with before as (
  select b.id, b.looked_at from factline.replays b where b.id = $1::bigint
)
update factline.replays r set looked_at = factline.clock()
  from before
 where r.id = before.id and r.state in ('canary', 'running')
   and coalesce(r.looked_at not between factline.clock() - interval '900 milliseconds' and factline.clock() + interval '1 second', true)
returning extract(epoch from factline.clock()) as now, coalesce(r.strained_at > before.looked_at, false) as strained,
          pg_sequence_last_value('factline.events_position_seq'::regclass) as head

-- name: note_impact
-- $1 replay, $2 danger or null, $3 whether it yields.
update factline.replays
   set danger_max = greatest(danger_max, coalesce($2::double precision, 0)), yielded_seconds = yielded_seconds + $3::boolean::integer
 where id = $1::bigint

-- name: time_of_day
-- $1 a time zone.
select to_char(factline.clock() at time zone $1, 'HH24:MI') as now

-- name: hand_over
-- $1 consumer, $2 replay, $3 [{key, keyHash, position}]; in the transaction that moves the cursor.
insert into factline.parked (consumer_id, replay_id, key, key_hash, position, state, reason)
select $1::integer, $2::bigint, r.key, r."keyHash", r.position, 'waiting', 'delivered again by a replay'
from json_to_recordset($3::text::json) as r (key text, "keyHash" integer, position bigint)
order by r.key, r.position
on conflict do nothing

-- name: pace
-- $1 replay, $2 seconds that what was handed over is worth. No more than a second is ever caught up. The commit
-- waits for no disk: handing over and moving the cursor are lost together, or are safe with whatever is safe after them.
update factline.replays
   set paced_at = greatest(
         coalesce(case when paced_at <= factline.clock() + make_interval(secs => greatest(5, 2 * $2::double precision)) then paced_at end,
                  factline.clock()) + make_interval(secs => $2::double precision),
         factline.clock() - interval '1 second')
 where id = $1::bigint
returning set_config('synchronous_commit', 'off', true)

-- name: note_failures
-- $1 replay, $2 what a person is shown now.
update factline.replays set failures_seen = $2::text::jsonb where id = $1::bigint and state = 'paused'

-- name: unaccounted
-- $1 replay, $2 freeze, $3 consumer: selected events that are neither handled nor failed.
select count(*) as count, min(s.position) as first from factline.replay_selection s
 where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.excluded is null
   and not exists (select from factline.inbox i where i.consumer_id = $3::integer and i.replay_id = $1::bigint and i.position = s.position)
   and not exists (select from factline.parked p where p.consumer_id = $3::integer and p.replay_id = $1::bigint and p.position = s.position)

-- name: run_sums
-- $1 replay.
select r.published, r.suppressed, r.effects_begun, r.danger_max, r.yielded_seconds,
       extract(epoch from factline.clock() - r.began_at) as seconds
  from factline.replays r where r.id = $1::bigint

-- name: clear_ended
-- $1 consumers: what was handed over and not begun when a replay was aborted is taken back. What failed stays on record.
delete from factline.parked p using factline.replays r
 where r.id = p.replay_id and p.consumer_id = any ($1::integer[]) and p.replay_id > 0 and r.state in ('aborted', 'failed')
   and (p.state in ('waiting', 'retrying') or (p.state = 'running' and r.ended_at < factline.clock() - interval '10 minutes'))
