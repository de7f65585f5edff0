-- What the crash explorer asks a saga's database.

-- name: next_retry
-- How long until something is tried again; null: nothing waits for that. What began while this was asked is due, too: it may fail again.
select extract(epoch from min(at) - factline.clock())::float8 * 1000 as ms from (
  select min(case state when 'retrying' then next_at else factline.clock() end) as at
  from factline.parked where state in ('retrying', 'running')
  union all
  select min(j.due_at) from factline.workflow_journal j join factline.workflow_instances i on i.id = j.instance_id
  where j.state = 'pending' and j.kind in ('step', 'transaction') and i.state <> 'stuck' and i.ended_at is null
) due

-- name: next_timer
-- The same, sleeps and time limits of waits included.
select extract(epoch from min(at) - factline.clock())::float8 * 1000 as ms from (
  select min(case state when 'retrying' then next_at else factline.clock() end) as at
  from factline.parked where state in ('retrying', 'running')
  union all
  select min(j.due_at) from factline.workflow_journal j join factline.workflow_instances i on i.id = j.instance_id
  where j.state = 'pending' and j.kind in ('step', 'transaction') and i.state <> 'stuck' and i.ended_at is null
  union all
  select min(due_at) from factline.workflow_instances where due_at > factline.clock()
) due

-- name: quarantined
-- What waits for a person.
select c.id as consumer_id, c.name as consumer, p.id, e.event_type as type, e.event_id, e.error_code as code,
  coalesce(e.error_message, p.reason) as message
from factline.parked p
join factline.consumers c on c.id = p.consumer_id
left join factline.parked_events e on e.consumer_id = p.consumer_id and e.replay_id = p.replay_id and e.position = p.position
where p.state = 'quarantined' and p.replay_id = 0 order by p.position

-- name: stuck
-- Instances of workflows that wait for a person. $1: what stands in the errors that were injected.
select i.id as instance, c.id as consumer_id, c.name as consumer, coalesce(i.stuck->>'reason', i.stuck::text) as message,
  strpos(i.stuck::text, $1::text) > 0 or exists (
    select from factline.workflow_journal j where j.instance_id = i.id and j.state = 'failed' and strpos(j.error::text, $1::text) > 0
  ) as injected
from factline.workflow_instances i join factline.consumers c on c.id = i.consumer_id where i.state = 'stuck' order by i.id

-- name: open_effect
-- The call of an event whose outcome is not recorded. $1: consumer, $2: event.
select name from factline.effects where consumer_id = $1 and event_id = $2::uuid and replay_id = 0 and state = 'started'

-- name: repeated_events
-- The same fact, because of the same event, more than once.
select type, count(*)::int4 as times, data::text as data from factline.events
where meta->>'causationId' is not null
group by type, key, data, meta->>'causationId' having count(*) > 1

-- name: events
select position, id, type, key, data from factline.events order by position

-- name: rewind_everything
-- Of a saga at rest: the state of a crash before any checkpoint was written. What was handled stands in the inbox only, so all
-- of it is delivered again. Projections have no such state: their checkpoints commit with their rows.
with behind as (
  select id, types, start_position from factline.consumers where class <> 'projection' and cardinality(types) > 0
), remembered as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select b.id, e.key_hash, e.position
  from behind b join factline.events e on e.position > b.start_position and e.type = any (b.types)
  where not exists (select from factline.parked p where p.consumer_id = b.id and p.replay_id = 0 and p.position = e.position)
  on conflict do nothing
)
update factline.checkpoints k set position = b.start_position from behind b where b.id = k.consumer_id
