-- name: insert_approval
-- The trigger fills in who asked and who planned, and refuses what is not the present revision and digest.
insert into factline.replay_approvals (replay_id, revision, digest, approver, requested_by, planned_by, break_glass, reason)
values ($1, $2, $3, $4, '', '', $5, $6)

-- name: count_approvals
select count(*) as given, coalesce(bool_or(a.break_glass), false) as glass, r.approvals_required as required
  from factline.replays r
  left join factline.replay_approvals a on a.replay_id = r.id and a.revision = r.revision and a.digest = r.digest
 where r.id = $1 group by r.approvals_required
