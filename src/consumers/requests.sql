-- Wishes of people, carried out by the process that owns the lane.

-- name: answer_request
update factline.requests set state = $2, answer = $3::jsonb, answered_at = factline.clock() where id = $1 and state = 'open'

-- name: pause_consumer
-- $4 milliseconds until it goes on by itself, or null. Every process sees it with its next look.
update factline.consumers
   set paused_reason = $2, paused_by = $3, paused_at = factline.clock(),
       paused_until = factline.clock() + make_interval(secs => $4::double precision / 1000)
 where id = $1
returning paused_until

-- name: resume_consumer
-- Also closes an open breaker: a person decides that it is to be tried again.
with breaker as (
  update factline.breakers set state = 'closed', actor = 'resumed by a person', probing = null, probe_at = null
  where consumer_id = $1 and state = 'open'
)
update factline.consumers set paused_reason = null, paused_by = null, paused_at = null, paused_until = null where id = $1

-- name: wake_owners
select pg_notify('factline_requests', $1::text)
