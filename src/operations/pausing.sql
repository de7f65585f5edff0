-- Pauses that end by themselves.

-- name: due_pauses
-- $1 the app.
select id, name, paused_by, paused_reason from factline.consumers
 where app = $1 and state <> 'retired' and paused_until <= factline.clock() order by id

-- name: due_parts
-- $1 the app.
select p.consumer_id as id, c.name, p.scope, p.value, p.actor, p.reason
  from factline.pauses p join factline.consumers c on c.id = p.consumer_id
 where c.app = $1 and p.paused_until <= factline.clock() order by p.consumer_id, p.scope, p.value

-- name: resume_part_due
-- $1 the consumer, $2 type or key, $3 which.
with resumed as (
  delete from factline.pauses where consumer_id = $1 and scope = $2 and value = $3 and paused_until <= factline.clock() returning consumer_id
)
select r.consumer_id, pg_notify('factline_requests', r.consumer_id::text) from resumed r

-- name: resume_due
-- $1 the consumer. Its breaker is left alone: nobody decided that what it waits for is well.
with resumed as (
  update factline.consumers set paused_reason = null, paused_by = null, paused_at = null, paused_until = null
   where id = $1 and paused_until <= factline.clock()
  returning id
)
select r.id, pg_notify('factline_requests', r.id::text) from resumed r

-- name: resume_part_full
-- $1 the consumer, $2 type or key, $3 which, $4 when it was paused: not the pause that somebody asks for meanwhile.
with resumed as (
  delete from factline.pauses where consumer_id = $1 and scope = $2 and value = $3 and paused_at = $4::timestamptz returning consumer_id
)
select r.consumer_id, pg_notify('factline_requests', r.consumer_id::text) from resumed r

-- name: resume_full
-- $1 the consumer, $2 when it was paused. With a workflow its versions (NAME@VERSION) go on.
with resumed as (
  update factline.consumers set paused_reason = null, paused_by = null, paused_at = null, paused_until = null
   where paused_at = $2::timestamptz
     and (id = $1
          or id in (select v.id from factline.consumers r join factline.consumers v
                        on v.class = r.class and v.app = r.app and split_part(v.name, '@', 1) = r.name
                     where r.id = $1 and r.class = 'workflow'))
  returning id
)
select r.id, pg_notify('factline_requests', r.id::text) from resumed r
