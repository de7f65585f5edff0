-- Wishes of people, carried out by the process that owns the lane.

-- name: answer_request
update factline.requests set state = $2, answer = $3::jsonb, answered_at = factline.clock() where id = $1 and state = 'open'

-- name: pause_consumer
-- $4 milliseconds until it goes on by itself, or null, $5 how many events may come, or null, $6 whether it goes on when more do. Every process sees it with its next look. With a workflow its versions
-- (NAME@VERSION) pause.
update factline.consumers
   set paused_reason = $2, paused_by = $3, paused_at = factline.clock(),
       paused_until = factline.clock() + make_interval(secs => $4::double precision / 1000),
       buffer_max = case when id = $1 then $5::bigint end, buffer_resumes = $6, buffer_counted = 0,
       buffer_position = coalesce((select max(position) from factline.events), 0)
 where id = $1
    or id in (select v.id from factline.consumers r join factline.consumers v
                   on v.class = r.class and v.app = r.app and split_part(v.name, '@', 1) = r.name
                where r.id = $1 and r.class = 'workflow')
returning paused_until

-- name: resume_consumer
-- Also closes an open breaker: a person decides that it is to be tried again. Says whether anything held it.
with before as materialized (
  select k.paused_reason is not null or exists (select from factline.breakers b where b.consumer_id = k.id and b.state = 'open') as held
    from factline.consumers k where k.id = $1
), breaker as (
  update factline.breakers set state = 'closed', actor = 'resumed by a person', probing = null, probe_at = null
  where consumer_id = $1 and state = 'open'
)
update factline.consumers set paused_reason = null, paused_by = null, paused_at = null, paused_until = null
 where id = $1
    or id in (select v.id from factline.consumers r join factline.consumers v
                   on v.class = r.class and v.app = r.app and split_part(v.name, '@', 1) = r.name
                where r.id = $1 and r.class = 'workflow')
returning (select held from before) as held

-- name: pause_part
-- $2 type or key, $3 which, $4 why, $5 who, $6 milliseconds until it goes on by itself, or null, $7 how many events may come, or null,
-- $8 whether it goes on when more do.
insert into factline.pauses (consumer_id, scope, value, reason, actor, paused_until, buffer_max, buffer_resumes, buffer_position)
values ($1, $2, $3, $4, $5, factline.clock() + make_interval(secs => $6::double precision / 1000), $7, $8,
        coalesce((select max(position) from factline.events), 0))
on conflict (consumer_id, scope, value) do update
   set reason = excluded.reason, actor = excluded.actor, paused_at = excluded.paused_at, paused_until = excluded.paused_until,
       buffer_max = excluded.buffer_max, buffer_resumes = excluded.buffer_resumes, buffer_counted = 0,
       buffer_position = excluded.buffer_position
returning paused_until

-- name: resume_part
-- $2 type or key, $3 which.
delete from factline.pauses where consumer_id = $1 and scope = $2 and value = $3 returning value

-- name: held_parts
select scope, value from factline.pauses where consumer_id = $1 order by scope, value

-- name: wake_owners
select pg_notify('factline_requests', $1::text)
