-- A replay of a projection: its run is a rebuild, which the process that works the projection carries out.

-- name: ask_for_rebuild
-- $1 replay, $2 consumer, $3 who, $4 why. Readers see the build only when the replay lets them.
with asked as (
  insert into factline.requests (consumer_id, verb, arguments, actor, reason)
  values ($2, 'rebuild', '{"switching": "manual"}', $3, $4) returning id
), noted as (
  update factline.replays r set request_id = a.id from asked a where r.id = $1
)
select pg_notify('factline_requests', $2::text) from asked

-- name: rebuilds_to_follow
-- Those under way, and those that ended before their build did.
select r.id, q.state, q.answer, q.id as request
  from factline.replays r join factline.requests q on q.id = r.request_id
 where r.mode = 'blue-green'
   and (r.state in ('running', 'paused', 'verifying')
        or r.state in ('aborted', 'failed') and r.ended_at > factline.clock() - interval '7 days')
 order by r.id

-- name: withdraw_request
update factline.requests set state = 'refused', answer = '{"reason": "the replay has ended"}', answered_at = factline.clock()
 where id = $1 and state = 'open'
