-- Events that start instances, and events that instances wait for.

-- name: start_by_events
-- The usual case of starts by events, any number of them: the instances, and that their events are handled. $1 the router, $2 and $3 its
-- lanes and tokens, $4 [{lane, keyHash, position} of the event, {executor, version, key, instanceHash, input, cause, codeVersion, held}].
-- What cannot be started so is left out, and its event with it: another lives, it was handled, the lane is lost. In the order of
-- the keys, because several of them run at one time. Served by lanes_pkey, inbox_pkey, workflow_instances_live and
-- workflow_instances_started_by.
with fence as materialized (
  select l.lane, l.stop_at from unnest($2::integer[], $3::bigint[]) as w (lane, token)
  join factline.lanes l on l.consumer_id = $1::integer and l.lane = w.lane and l.token = w.token
  for share of l
), given as materialized (
  select g.* from fence f join json_to_recordset($4::text::json) as g (lane integer, "keyHash" integer, position bigint, executor integer,
      version integer, key text, "instanceHash" integer, input jsonb, cause jsonb, "codeVersion" text, held boolean)
    on g.lane = f.lane and g.position <= f.stop_at
  where not exists (select from factline.inbox i
    where i.consumer_id = $1::integer and i.replay_id = 0 and i.position = g.position)
), started as (
  insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, started_by, start_position,
                                           cause, code_version, due_at, held)
  select $1::integer, g.executor, g.version, g.key, g."instanceHash", 'running', g.input, g.position, g.position, g.cause,
         g."codeVersion", factline.clock(), g.held
    from given g order by g.key
  on conflict do nothing
  returning id, started_by
), handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, g."keyHash", g.position from started s join given g on g.position = s.started_by order by g.position
  on conflict do nothing
)
select id, started_by from started

-- name: start_by_event
-- As start_by_events, for one, whose parameters need not be read out of JSON: $1 the router, $2 its lane, $3 token; $4 position and $5 hash of the
-- key of the event; $6 executor, $7 version, $8 key, $9 its hash, $10 input, $11 cause, $12 code version, $13 held.
with fence as materialized (
  select from factline.lanes l
   where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint and l.stop_at >= $4::bigint
   for share
), started as (
  insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, started_by, start_position,
                                           cause, code_version, due_at, held)
  select $1::integer, $6::integer, $7::integer, $8::text, $9::integer, 'running', $10::jsonb, $4::bigint, $4::bigint, $11::jsonb,
         $12::text, factline.clock(), $13::boolean
    from fence
   where not exists (select from factline.inbox i
     where i.consumer_id = $1::integer and i.replay_id = 0 and i.position = $4::bigint)
  on conflict do nothing
  returning id
), handled as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select $1::integer, $5::integer, $4::bigint from started
  on conflict do nothing
)
select id from started

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
-- What has come for open waits: $1 [{instance, ordinal, workflow, type, key, after}], $2 so many each at most. Served by workflow_mailbox_pkey and events_pkey.
select w.instance::bigint as instance, w.ordinal, e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data::text as data, e.meta::text as meta,
       e.time, e.recorded_at
  from json_to_recordset($1::text::json) as w (instance bigint, ordinal integer, workflow integer, type text, key text, after bigint)
  cross join lateral (
    select b.position from factline.workflow_mailbox b
     where b.workflow_id = w.workflow and b.type = w.type and b.key = w.key and b.position > w.after
     order by b.position limit $2::integer) m
  join factline.events e on e.position = m.position
 order by w.instance, w.ordinal, e.position

-- name: on_its_way
-- Of waits whose time limit has come ($1 as in `read_mail`): those whose event the router may still bring, because it is
-- committed above the router's checkpoint, or parked, and not in the mailbox. A router that is more than $2 positions behind is not
-- searched: it may bring any. Served by events_pkey, parked_position and workflow_mailbox_pkey.
with given as materialized (
  select * from json_to_recordset($1::text::json) as w (instance bigint, ordinal integer, workflow integer, type text, key text, after bigint)
), routers as materialized (
  select k.consumer_id, array_agg(k.position order by k.lane) as checkpoints, min(k.position) as lowest
    from factline.checkpoints k where k.consumer_id in (select workflow from given)
   group by k.consumer_id
), head as materialized (
  select coalesce(max(position), 0) as position from factline.events
), searched as materialized (
  -- The limit is never reached; it keeps each router's range one walk along the log, however many waits ask for it.
  select r.consumer_id, e.position, e.type, e.subject
    from routers r cross join head h cross join lateral (
      select x.position, x.type, x.meta->>'subject' as subject from factline.events x
       where x.position > r.lowest and h.position - r.lowest <= $2::bigint
         and x.type in (select g.type from given g)
         and x.position > r.checkpoints[1 + (x.key_hash::bigint & 4294967295) % cardinality(r.checkpoints)]
       order by x.position limit $2::bigint) e
), parked as materialized (
  select r.consumer_id, x.position, x.type, x.meta->>'subject' as subject
    from routers r cross join lateral (
      select p.position from factline.parked p
       where p.consumer_id = r.consumer_id and p.replay_id = 0
         and p.position > (select min(g.after) from given g where g.workflow = r.consumer_id)
       order by p.position limit $2::bigint) p
    join factline.events x on x.position = p.position and x.type in (select g.type from given g)
)
select g.instance, g.ordinal
  from given g join routers r on r.consumer_id = g.workflow cross join head h
 where h.position - r.lowest > $2::bigint
    or exists (select from (select * from searched union all select * from parked) s
         where s.consumer_id = g.workflow and s.type = g.type and s.subject = g.key and s.position > g.after
           and not exists (select from factline.workflow_mailbox b
                 where b.workflow_id = g.workflow and b.type = g.type and b.key = g.key and b.position = s.position))

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
