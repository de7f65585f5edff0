-- One transition of a replay. The caller puts it on record in the same transaction.

-- name: lock_state
select r.state, r.consumer, r.revision, r.digest, r.approvals_required, r.expires_at <= factline.clock() as expired
  from factline.replays r where r.id = $1 for update

-- name: move
-- $1 replay, $2 state, $3 who paused it (person or guard, and the name), $5 why. Served by replays_pkey.
update factline.replays
   set state = $2, changed_at = factline.clock(),
       paused_kind = case when $2 = 'paused' then $3 end, paused_by = case when $2 = 'paused' then $4 end,
       paused_reason = case when $2 = 'paused' then $5 end,
       requested_by = case when $2 = 'pending_approval' then $4 when $2 in ('draft', 'estimating') then null else requested_by end,
       freeze_number = case when $2 = 'estimating' then freeze_number + 1 else freeze_number end,
       digest = case when $2 in ('draft', 'estimating') then null else digest end,
       selected = case when $2 in ('draft', 'estimating') then null else selected end,
       selected_low = case when $2 in ('draft', 'estimating') then null else selected_low end,
       selected_high = case when $2 in ('draft', 'estimating') then null else selected_high end,
       estimate = case when $2 in ('draft', 'estimating') then null else estimate end,
       began_at = case when $2 in ('canary', 'running') then coalesce(began_at, factline.clock()) else began_at end,
       ended_at = case when $6::boolean then factline.clock() else ended_at end
 where id = $1
returning freeze_number

-- name: busy_with
-- The replay of this consumer that is under way.
select r.id from factline.replays r where r.consumer = $1 and r.state in ('canary', 'running', 'paused', 'verifying') limit 1
