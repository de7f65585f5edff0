-- Pauses that end by themselves.

-- name: due_pauses
-- $1 the app.
select id, name, paused_by, paused_reason from factline.consumers
 where app = $1 and state <> 'retired' and paused_until <= factline.clock() order by id

-- name: resume_due
-- $1 the consumer. Its breaker is left alone: nobody decided that what it waits for is well.
with resumed as (
  update factline.consumers set paused_reason = null, paused_by = null, paused_at = null, paused_until = null
   where id = $1 and paused_until <= factline.clock()
  returning id
)
select r.id, pg_notify('factline_requests', r.id::text) from resumed r
