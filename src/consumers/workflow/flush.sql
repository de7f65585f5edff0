-- The one statement that records what instances have done.

-- name: flush
-- Of any number of instances and executors. $1 [{id, consumer, lane, token, rows, change, state, ending, held, due, result, hasResult,
-- failure, stuck, progress}], $2 [{instance, undo, ordinal, kind, name, state, attempts, completion, value, hasValue, error, delayMs,
-- until, tookMs}], $3 [{instance, ordinal, workflow, type, key, after, open}] (waits that begin, or with open: false end),
-- $4 the events (the parameter of `publish`, each with its `instance`), $5: refuse unless everything is written.
-- Instances whose lane belongs to another process are left out, and those of which one row is finished already (this very
-- statement was sent before). Rows that can wait are locked before any position is taken. `due`: 'now', 'rest' (the earliest
-- moment of its pending rows), 'never', or null (as it is).
with moment as materialized (
  select factline.clock() as now
), given as materialized (
  select * from json_to_recordset($1::text::json) as g (id bigint, consumer integer, lane integer, token bigint, rows integer,
    change boolean, state text, ending text, held boolean, due text, result jsonb, "hasResult" boolean, failure jsonb, stuck jsonb,
    progress boolean)
), fence as materialized (
  select l.consumer_id, l.lane from factline.lanes l
  join (select distinct consumer, lane, token from given) w on w.consumer = l.consumer_id and w.lane = l.lane and w.token = l.token
  for share of l
), rows as materialized (
  select r.*, case when r.until is not null then r.until
                   when r."delayMs" is not null then m.now + r."delayMs" * interval '1 millisecond' end as due_at
  from json_to_recordset($2::text::json) as r (instance bigint, undo boolean, ordinal integer, kind text, name text, state text,
    attempts integer, completion integer, value jsonb, "hasValue" boolean, error jsonb, "delayMs" double precision, until timestamptz,
    "tookMs" double precision), moment m
), finished as materialized (
  -- The limit makes it one look into the index for each row, whatever the planner thinks of a table that was empty just now.
  select r.instance from rows r cross join lateral (
    select 1 from factline.workflow_journal j
     where j.instance_id = r.instance and j.undo = r.undo and j.ordinal = r.ordinal and j.state <> 'pending' limit 1) f
), mine as materialized (
  select g.* from given g join fence f on f.consumer_id = g.consumer and f.lane = g.lane
  where g.id not in (select instance from finished)
), written as (
  insert into factline.workflow_journal as j (instance_id, undo, ordinal, kind, name, state, attempts, completion, value, error, due_at,
                                              began_at, ended_at)
  select r.instance, r.undo, r.ordinal, r.kind, r.name, r.state, r.attempts, r.completion,
         coalesce(r.value, case when r."hasValue" then 'null'::jsonb end), r.error, r.due_at,
         m.now - coalesce(r."tookMs", 0) * interval '1 millisecond', case when r.state <> 'pending' or r.attempts > 0 then m.now end
    from rows r join mine g on g.id = r.instance, moment m
  on conflict (instance_id, undo, ordinal) do update
    set state = excluded.state, attempts = excluded.attempts, completion = excluded.completion, value = excluded.value,
        error = excluded.error, due_at = excluded.due_at, ended_at = excluded.ended_at,
        began_at = case when excluded.kind in ('sleep', 'wait') then j.began_at else excluded.began_at end
    where j.state = 'pending'
  returning instance_id
), changed as (
  update factline.workflow_instances i
     set state = coalesce(g.state, i.state), ending = coalesce(g.ending, i.ending), held = coalesce(g.held, i.held),
         result = coalesce(g.result, case when g."hasResult" then 'null'::jsonb end, i.result),
         failure = coalesce(g.failure, i.failure),
         stuck = case when g.state is null then i.stuck else g.stuck end,
         deaths = case when g.progress then 0 else i.deaths end, kills = case when g.progress then '[]' else i.kills end,
         due_at = case g.due when 'now' then m.now when 'never' then null
                    when 'rest' then least(
                      (select min(j.due_at) from factline.workflow_journal j
                        where j.instance_id = g.id and j.state = 'pending' and j.due_at is not null
                          and j.undo = (coalesce(g.state, i.state) = 'compensating')
                          and not exists (select from rows r where r.instance = g.id and r.undo = j.undo and r.ordinal = j.ordinal)),
                      (select min(r.due_at) from rows r where r.instance = g.id and r.state = 'pending'
                          and r.undo = (coalesce(g.state, i.state) = 'compensating')))
                    else i.due_at end,
         changed_at = m.now,
         ended_at = case when g.state in ('completed', 'failed', 'cancelled') then m.now else i.ended_at end
    from mine g, moment m
   where i.id = g.id and g.change and i.ended_at is null
  returning i.id, i.workflow_id, i.key, i.ended_at, i.due_at
), next_in_line as (
  update factline.workflow_instances q set due_at = m.now
    from changed c, moment m
   where c.ended_at is not null and q.workflow_id = c.workflow_id and q.key = c.key and q.state = 'queued'
  returning q.consumer_id
), opened as (
  insert into factline.workflow_waits (instance_id, ordinal, workflow_id, type, key, after_position)
  select w.instance, w.ordinal, w.workflow, w.type, w.key, w.after
    from json_to_recordset($3::text::json) as w (instance bigint, ordinal integer, workflow integer, type text, key text, after bigint,
      open boolean)
    join mine g on g.id = w.instance
   where w.open
  on conflict (instance_id, ordinal) do update set after_position = excluded.after_position
  returning 1
), closed as (
  delete from factline.workflow_waits o using mine g
   where o.instance_id = g.id
     and (g.state in ('completed', 'failed', 'cancelled', 'compensating')
       or o.ordinal in (select w.ordinal from json_to_recordset($3::text::json) as w (instance bigint, ordinal integer, open boolean)
                         where w.instance = g.id and not w.open))
  returning 1
), held as materialized (
  select (select count(*) from written) + (select count(*) from changed) + (select count(*) from next_in_line)
       + (select count(*) from opened) + (select count(*) from closed) as locked
), published as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from held cross join rows from (json_to_recordset($4::text::json) as (instance bigint, id uuid, type text, source text, key text,
    key_hash integer, data jsonb, meta jsonb, time timestamptz, class text)) with ordinality
    as e (instance, id, type, source, key, key_hash, data, meta, time, class, ordinal)
  where held.locked >= 0 and e.instance in (select id from mine)
  order by e.ordinal
  returning position
)
select pg_current_xact_id()::text as transaction_id,
  (select coalesce(string_agg(position::text, ',' order by position), '') from published) as positions,
  case when $5::boolean and (select count(*) from mine) < (select count(*) from given)
    then factline.refuse(case when exists (select from fence) then 'FL002' else 'FL001' end, 'nothing is recorded twice, or by two') end as refused,
  (select coalesce(json_agg(json_build_array(g.id,
      case when c.due_at is not null then greatest(extract(epoch from c.due_at - m.now) * 1000, 0)::bigint end)), '[]')
     from mine g cross join moment m left join changed c on c.id = g.id) as recorded,
  (select coalesce(json_agg(json_build_array(f.consumer_id, f.lane)), '[]') from fence f) as fenced,
  (select coalesce(json_agg(distinct n.consumer_id), '[]') from next_in_line n) as queued
