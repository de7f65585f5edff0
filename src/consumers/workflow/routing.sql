-- Events that instances wait for.

-- name: deliver_mail
-- $1 workflow, $2 type, $3 the value of the event's key, $4 position. Committed before waits are looked for: a wait that is recorded
-- meanwhile looks here afterwards, so one of the two sees the other.
insert into factline.workflow_mailbox (workflow_id, type, key, position) values ($1::integer, $2, $3, $4::bigint) on conflict do nothing

-- name: wake_waiting
-- The instances that wait for the event ($1 to $4 as above) are due now. Answers all of them, also those that are at work.
-- Served by workflow_waits_wanted.
with wanted as materialized (
  select distinct w.instance_id from factline.workflow_waits w
   where w.workflow_id = $1::integer and w.type = $2 and w.key = $3 and w.after_position < $4::bigint
), woken as (
  update factline.workflow_instances i set due_at = factline.clock()
    from wanted w
   where i.id = w.instance_id and i.state = 'waiting' and (i.due_at is null or i.due_at > (select factline.clock()))
  returning i.id
)
select i.id, i.consumer_id from factline.workflow_instances i join wanted w on w.instance_id = i.id
 where (select count(*) from woken) >= 0

-- name: read_mail
-- What has come for open waits: $1 [{instance, ordinal, workflow, type, key, after}], a thousand each at most. Served by workflow_mailbox_pkey and events_pkey.
select w.instance::bigint as instance, w.ordinal, e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data::text as data, e.meta::text as meta,
       e.time, e.recorded_at
  from json_to_recordset($1::text::json) as w (instance bigint, ordinal integer, workflow integer, type text, key text, after bigint)
  cross join lateral (
    select b.position from factline.workflow_mailbox b
     where b.workflow_id = w.workflow and b.type = w.type and b.key = w.key and b.position > w.after
     order by b.position limit 1000) m
  join factline.events e on e.position = m.position
 order by w.instance, w.ordinal, e.position

-- name: purge_mail
-- $1 the app: of each of its workflows what came before the oldest living instance began, and before every event that may still
-- start one. Served by workflow_mailbox_position, workflow_instances_oldest and checkpoints_pkey.
delete from factline.workflow_mailbox m
 using (
   select w.id, least(
       (select min(i.start_position) from factline.workflow_instances i where i.workflow_id = w.id and i.ended_at is null),
       (select min(k.position) from factline.checkpoints k where k.consumer_id = w.id)) as below
     from factline.consumers w where w.app = $1 and w.class = 'workflow' and w.state <> 'retired') o
 where m.workflow_id = o.id and m.position <= o.below
