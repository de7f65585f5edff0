-- Replays as objects: planning, reading, listing.

-- name: find_consumer
-- $1 name, also an earlier one. The build that is read.
select c.id, c.app, c.name, c.class, c.types, c.lanes, c.ordering, c.start_position, c.handled_within_ms
  from factline.consumers c
 where (c.name = $1 or $1 = any (c.former_names)) and c.state = 'live'
 order by c.build desc limit 1

-- name: consumer_names
select distinct name from factline.consumers where state = 'live' order by name

-- name: log_end
-- Where the log ends, what is compacted, what time it is.
select coalesce((select max(position) from factline.events), 0) as head, m.compacted_below, m.log_epoch,
       factline.clock() as now
  from factline.log_meta m

-- name: is_future
select $1::timestamptz > factline.clock() as future

-- name: group_fingerprints
-- $1 consumer: of what it has in quarantine, most first.
select g.fingerprint from factline.quarantine_groups g join factline.parked p on p.group_id = g.id
 where g.consumer_id = $1 and p.state = 'quarantined' and p.replay_id = 0
 group by g.fingerprint order by count(*) desc limit 20

-- name: insert_replay
insert into factline.replays (app, consumer, consumer_id, class, mode, effects, code_version, planned_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id

-- name: revise_replay
update factline.replays
   set revision = revision + 1, consumer_id = $2, effects = $3, code_version = $4, planned_by = $5
 where id = $1 and consumer = $6
returning revision

-- name: insert_revision
insert into factline.replay_revisions (replay_id, revision, manifest, digest, made_by)
values ($1, $2, $3::text::jsonb, $4, $5)

-- name: read_replay
select r.*, v.manifest, v.digest as manifest_digest, v.made_at as revised_at, r.expires_at <= factline.clock() as expired,
       (select coalesce(json_agg(json_build_object('approver', a.approver, 'at', a.approved_at, 'reason', a.reason,
                                                   'breakGlass', a.break_glass) order by a.approved_at), '[]')
          from factline.replay_approvals a
         where a.replay_id = r.id and a.revision = r.revision and a.digest = r.digest) as approvals
  from factline.replays r
  join factline.replay_revisions v on v.replay_id = r.id and v.revision = r.revision
 where r.id = $1

-- name: is_worked
-- $1 consumer: a process that lives works its lanes.
select exists (select from factline.lanes l join factline.processes p on p.id = l.owner
                where l.consumer_id = $1 and p.beaten_at > factline.clock() - interval '12 seconds') as worked

-- name: list_replays
-- $1 consumer or null, $2 only those that have not ended, $3 before this number, $4 rows. Latest first.
select r.id, r.consumer, r.class, r.mode, r.effects, r.state, r.revision, r.selected, r.selected_low, r.selected_high, r.released, r.break_glass, r.planned_by,
       r.requested_by, r.planned_at, r.ended_at, r.approvals_required, v.manifest ->> 'title' as title,
       (select count(*) from factline.replay_approvals a
         where a.replay_id = r.id and a.revision = r.revision and a.digest = r.digest) as approvals
  from factline.replays r
  join factline.replay_revisions v on v.replay_id = r.id and v.revision = r.revision
 where ($1::text is null or r.consumer = $1) and r.id < $3
   and (not $2::boolean or r.state not in ('done', 'done_with_failures', 'aborted', 'failed', 'rejected', 'expired'))
 order by r.id desc limit $4
