-- What an executor loads of its lanes. $1 is the executor's consumer id, $2 [{lane, token}] (its fences), $3 the number of lanes.

-- name: take_due
-- $4: instances that are in memory, $5: at most so many, $6: only these (null: all). Marks what is due as held, oldest first, and answers it with its journal;
-- a queued one begins only when no other of its key lives, and is looked at again a little later. `next_ms`: until the next
-- one is due. Served by workflow_instances_due, workflow_journal_pkey and workflow_waits_pkey. Each filter stands in a coalesce, so
-- that the planner takes it to leave every second row: it would sort all that is due, were it to expect that few remain.
with moment as materialized (
  select factline.clock() as now
), fence as materialized (
  select l.lane from factline.lanes l
  join json_to_recordset($2::text::json) as w (lane integer, token bigint) on w.lane = l.lane and w.token = l.token
  where l.consumer_id = $1::integer
  for share of l
), due as materialized (
  select i.id, i.held, i.state, i.state = 'queued' and (
      exists (select from factline.workflow_instances o where o.workflow_id = i.workflow_id and o.key = i.key
               and o.state in ('running', 'waiting', 'compensating', 'stuck'))
      or exists (select from factline.workflow_instances o where o.workflow_id = i.workflow_id and o.key = i.key
               and o.state = 'queued' and o.id < i.id)) as blocked
    from factline.workflow_instances i
   where i.consumer_id = $1::integer and i.due_at <= (select now from moment)
     and coalesce((i.key_hash::bigint & 4294967295) % $3::integer = any (array(select lane from fence)), false)
     and coalesce(i.id <> all ($4::bigint[]), true) and coalesce(i.id = any ($6::bigint[]), true)
   order by i.due_at
   limit $5::integer
     for update of i skip locked
), postponed as (
  update factline.workflow_instances i set due_at = m.now + interval '10 seconds'
    from due d, moment m where i.id = d.id and d.blocked
), taken as (
  update factline.workflow_instances i
     set held = true, state = case when i.state in ('queued', 'waiting') then 'running' else i.state end, changed_at = m.now
    from due d, moment m
   where i.id = d.id and not d.blocked
  returning i.*, d.held as was_held
), pending as (
  select i.due_at from factline.workflow_instances i
   where i.consumer_id = $1::integer and i.due_at > (select now from moment)
     and coalesce((i.key_hash::bigint & 4294967295) % $3::integer = any (array(select lane from fence)), false)
   order by i.due_at
   limit 1
)
select
  (select coalesce(json_agg(json_build_object(
      'id', t.id, 'workflowId', t.workflow_id, 'consumerId', t.consumer_id, 'version', t.version, 'key', t.key,
      'keyHash', t.key_hash, 'state', t.state, 'ending', t.ending, 'input', t.input, 'hasInput', t.input is not null,
      'startPosition', t.start_position, 'cause', t.cause, 'failure', t.failure, 'deaths', t.deaths, 'wasHeld', t.was_held, 'calls', t.calls,
      'waits', (select coalesce(json_agg(json_build_object('ordinal', w.ordinal, 'after', w.after_position)), '[]')
        from factline.workflow_waits w where w.instance_id = t.id),
      'suspected', t.kills <> '[]',
      'journal', (select coalesce(json_agg(json_build_object(
          'undo', j.undo, 'ordinal', j.ordinal, 'kind', j.kind, 'name', j.name, 'state', j.state, 'attempts', j.attempts,
          'completion', j.completion, 'value', j.value, 'hasValue', j.value is not null, 'error', j.error,
          'due', j.due_at <= m.now) order by j.undo, j.ordinal), '[]')
        from factline.workflow_journal j where j.instance_id = t.id)) order by t.due_at), '[]') from taken t, moment m) as instances,
  (select count(*) from due) as looked_at,
  (select least(greatest(extract(epoch from p.due_at - m.now) * 1000, 0), 2147483647)::bigint from pending p, moment m) as next_ms,
  (select extract(epoch from m.now) * 1000 from moment m)::bigint as now_ms

-- name: fall_due
-- Of instances in memory ($1): the sleeps, retries and time limits whose moment has come. Served by workflow_journal_due.
select j.instance_id, j.undo, j.ordinal from factline.workflow_journal j
 where j.instance_id = any ($1::bigint[]) and j.state = 'pending' and j.due_at <= (select factline.clock())

-- name: suspects
-- After an unclean takeover: the due instances that its process may have been working on, and whether somebody has begun them as
-- suspects before. $4: the lanes taken so.
select i.id, i.key_hash, i.kills <> '[]' as begun_before from factline.workflow_instances i
 where i.consumer_id = $1::integer and i.held and i.due_at <= (select factline.clock())
   and (i.key_hash::bigint & 4294967295) % $3::integer = any ($4::integer[])
   and exists (select from factline.lanes l
     join json_to_recordset($2::text::json) as w (lane integer, token bigint) on w.lane = l.lane and w.token = l.token
     where l.consumer_id = $1::integer)
 order by i.due_at

-- name: wake_found
-- After a takeover: waits whose event is in the mailbox already and whose owner died before it looked. $4: the lanes.
update factline.workflow_instances i set due_at = factline.clock()
  from factline.workflow_waits w
 where i.consumer_id = $1::integer and i.state = 'waiting' and w.instance_id = i.id
   and (i.due_at is null or i.due_at > (select factline.clock()))
   and (i.key_hash::bigint & 4294967295) % $3::integer = any ($4::integer[])
   and exists (select from factline.lanes l
     join json_to_recordset($2::text::json) as f (lane integer, token bigint) on f.lane = l.lane and f.token = l.token
     where l.consumer_id = $1::integer)
   and exists (select from factline.workflow_mailbox m
     where m.workflow_id = w.workflow_id and m.type = w.type and m.key = w.key and m.position > w.after_position)

-- name: wake_early
-- The clock has gone back, or may have while nobody held these lanes ($4): what was due by the clock before is due now. Whoever is
-- found to be early rests again. Served by workflow_instances_by_state.
update factline.workflow_instances i set due_at = factline.clock()
 where i.consumer_id = $1::integer and i.state in ('queued', 'running', 'compensating') and i.due_at > (select factline.clock())
   and (i.key_hash::bigint & 4294967295) % $3::integer = any ($4::integer[])
   and exists (select from factline.lanes l
     join json_to_recordset($2::text::json) as f (lane integer, token bigint) on f.lane = l.lane and f.token = l.token
     where l.consumer_id = $1::integer)

-- name: begin_suspects
-- $1 the executor's consumer, $2 [{id, lane, token}], $3 this process's incarnation, $4 whether they run side by side, $5 deaths at most: records
-- that this process begins them, before any of their code runs. An earlier process counts as a death unless it is this one, ran them
-- side by side, or has beaten since it was found dead; the beat at which that was is noted once. Too many: nothing is recorded, and
-- `deaths` says why. Answers those whose lane is ours. Served by workflow_instances_pkey.
with given as materialized (
  select * from json_to_recordset($2::text::json) as g (id bigint, lane integer, token bigint)
), fence as materialized (
  select l.lane from factline.lanes l
  where l.consumer_id = $1::integer and (l.lane, l.token) in (select lane, token from given)
  for share of l
), earlier as materialized (
  select i.id, jsonb_agg(case when k.kill ? 'beat' then k.kill
      else k.kill || jsonb_build_object('beat', (select p.beat from factline.processes p where p.incarnation::text = k.kill->>'incarnation')) end
      order by k.ordinal) filter (where k.kill is not null) as kills
  from given g join fence f on f.lane = g.lane join factline.workflow_instances i on i.id = g.id
  left join lateral jsonb_array_elements(i.kills) with ordinality as k (kill, ordinal) on true
  group by i.id
), dead as materialized (
  select e.id, coalesce(e.kills, '[]') as kills, (
    select count(distinct k.kill->>'incarnation')::integer from jsonb_array_elements(e.kills) as k (kill)
     where k.kill->>'incarnation' <> $3::text and not k.kill ? 'together'
       and not exists (select from factline.processes p
         where p.incarnation::text = k.kill->>'incarnation' and p.beat > coalesce((k.kill->>'beat')::bigint, p.beat))) as deaths
  from earlier e
)
update factline.workflow_instances i
   set deaths = d.deaths,
       kills = case when d.deaths >= $5::integer then d.kills
                    else d.kills || jsonb_build_array(jsonb_build_object('incarnation', $3::text)
                      || case when $4::boolean then '{"together": true}'::jsonb else '{}' end) end
  from dead d where i.id = d.id
returning i.id, i.deaths

-- name: is_due
-- Whether anything is left to do at this moment in these lanes; $4: in memory.
select exists (select from factline.workflow_instances i
  where i.consumer_id = $1::integer and i.due_at <= (select factline.clock()) and not (i.id = any ($4::bigint[])) and i.state <> 'queued'
    and (i.key_hash::bigint & 4294967295) % $3::integer in
      (select w.lane from json_to_recordset($2::text::json) as w (lane integer, token bigint))) as due

-- name: park_killer
-- It stays `held`: what it was doing when it died is in doubt.
-- $1 instance, $2 lane, $3 token.
with fence as materialized (
  select 1 from factline.lanes l join factline.workflow_instances i on i.consumer_id = l.consumer_id
  where i.id = $1::bigint and l.lane = $2::integer and l.token = $3::bigint
  for share of l
)
update factline.workflow_instances i
   set state = 'stuck', due_at = null, changed_at = factline.clock(),
       stuck = jsonb_build_object('reason', 'killed the process', 'message', format('%s processes ended while they ran it', i.deaths))
  from fence where i.id = $1::bigint and i.ended_at is null
