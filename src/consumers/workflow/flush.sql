-- What instances have done, recorded: of any number of instances and executors in one statement, all of it or nothing. FL001: a lane
-- is another process's. FL002: something of it stands there already (this very statement was sent before). Several statements,
-- because the server pays for every part of a statement in each run of it, also where there is nothing for that part to do.

-- part: columns
insert into factline.workflow_journal as j (instance_id, undo, ordinal, kind, name, state, attempts, completion, value, error, due_at,
                                              began_at, ended_at)

-- part: unless_recorded
on conflict (instance_id, undo, ordinal) do update
    set state = excluded.state, attempts = excluded.attempts, completion = excluded.completion, value = excluded.value,
        error = excluded.error, due_at = excluded.due_at, ended_at = excluded.ended_at,
        began_at = case when excluded.kind in ('sleep', 'wait') then j.began_at else excluded.began_at end
    where j.state = 'pending'

-- part: still_living
-- In a coalesce, so that no plan reads all that live: made while few did, it would outlast that.
     and coalesce(i.ended_at is null, false)

-- part: next_in_line
, next_in_line as (
  update factline.workflow_instances q set due_at = factline.clock()
    from changed c
   where c.ended_at is not null and q.workflow_id = c.workflow_id and q.key = c.key and q.state = 'queued'
  returning q.consumer_id
)

-- part: call
  select $4::bigint, $5::boolean, $6::integer, $7::text, $8::text, $9::text, $10::integer, $11::integer, $12::jsonb, $13::jsonb, null::timestamptz,
         factline.clock() - $14::double precision * interval '1 millisecond', factline.clock()

-- part: fence
  select from factline.lanes l where l.consumer_id = $1::integer and l.lane = $2::integer and l.token = $3::bigint for share

-- name: record_call
-- The usual case of a process that has little to do: one call that has ended. $1 consumer, $2 lane, $3 token, and the row (as below): $4
-- instance, $5 undo, $6 ordinal, $7 kind, $8 name, $9 state, $10 attempts, $11 completion, $12 value, $13 error, $14 tookMs. Parameters, because
-- reading a row out of JSON takes the server as long as writing it; and no answer: nothing is written where `record_result` refuses.
-- include: columns
-- include: call
    from (
-- include: fence
    ) fence
-- include: unless_recorded

-- part: result
with fence as materialized (
-- include: fence
), written as (
-- include: columns
-- include: call
    from fence
-- include: unless_recorded
  returning 1
)

-- name: record_result
-- As record_call, refused where it writes nothing. Answers as `publish` does.
-- include: result
select pg_current_xact_id()::text as transaction_id, '' as positions,
  case when not exists (select from written)
       then factline.refuse(case when exists (select from fence) then 'FL002' else 'FL001' end,
                            'nothing is recorded twice, or by two') end as refused

-- name: record_end
-- Its instance ends with it: $15 state, $16 calls, $17 result, $18 progress. `queued` as of `record`.
-- include: result
, changed as (
  update factline.workflow_instances i
     set calls = coalesce($16::integer, i.calls), state = $15::text, held = false, due_at = null, changed_at = factline.clock(), ended_at = factline.clock(),
         result = $17::jsonb, stuck = null,
         deaths = case when $18::boolean then 0 else i.deaths end, kills = case when $18::boolean then '[]' else i.kills end
    from fence
   where i.id = $4::bigint
-- include: still_living
  returning i.workflow_id, i.key, i.ended_at
)
-- include: next_in_line
select
  case when not exists (select from written) or not exists (select from changed)
       then factline.refuse(case when exists (select from fence) then 'FL002' else 'FL001' end,
                            'nothing is recorded twice, or by two') end as refused,
  array(select n.consumer_id from next_in_line n) as queued

-- part: results
-- $1, $2, $3 the lanes (consumer, lane, token), $4 how many rows and instances are written, $5 [{instance, consumer, lane, undo, ordinal, kind,
-- name, state, attempts, completion, value, hasValue, error, delayMs, until, tookMs}].
with fence as materialized (
  select l.consumer_id, l.lane from unnest($1::integer[], $2::integer[], $3::bigint[]) as w (consumer, lane, token)
  join factline.lanes l on l.consumer_id = w.consumer and l.lane = w.lane and l.token = w.token
  for share of l
), rows as materialized (
  select r.*, coalesce(r.until, factline.clock() + r."delayMs" * interval '1 millisecond') as due_at
    from fence f join json_to_recordset($5::text::json) as r (instance bigint, consumer integer, lane integer, undo boolean, ordinal integer,
      kind text, name text, state text, attempts integer, completion integer, value jsonb, "hasValue" boolean, error jsonb,
      "delayMs" double precision, until timestamptz, "tookMs" double precision) on r.consumer = f.consumer_id and r.lane = f.lane
), written as (
-- include: columns
  select r.instance, r.undo, r.ordinal, r.kind, r.name, r.state, r.attempts, r.completion,
         coalesce(r.value, case when r."hasValue" then 'null'::jsonb end), r.error, r.due_at,
         factline.clock() - coalesce(r."tookMs", 0) * interval '1 millisecond',
         case when r.state <> 'pending' or r.attempts > 0 then factline.clock() end
    from rows r
-- include: unless_recorded
  returning 1
)

-- part: changes
-- $6 [{id, consumer, lane, calls, state, ending, held, due, result, hasResult, failure, stuck, progress}]; `due`: 'now', 'rest' (the earliest
-- moment of its pending rows), 'never', or null (as it is).
, given as materialized (
  select g.* from fence f join json_to_recordset($6::text::json) as g (id bigint, consumer integer, lane integer, calls integer, state text,
    ending text, held boolean, due text, result jsonb, "hasResult" boolean, failure jsonb, stuck jsonb, progress boolean)
    on g.consumer = f.consumer_id and g.lane = f.lane
), changed as (
  update factline.workflow_instances i
     set calls = coalesce(g.calls, i.calls), state = coalesce(g.state, i.state), ending = coalesce(g.ending, i.ending), held = coalesce(g.held, i.held),
         result = coalesce(g.result, case when g."hasResult" then 'null'::jsonb end, i.result),
         failure = coalesce(g.failure, i.failure),
         stuck = case when g.state is null then i.stuck else g.stuck end,
         deaths = case when g.progress then 0 else i.deaths end, kills = case when g.progress then '[]' else i.kills end,
         due_at = case g.due when 'now' then factline.clock() when 'never' then null
                    when 'rest' then least(
                      (select min(j.due_at) from factline.workflow_journal j
                        where j.instance_id = g.id and j.state = 'pending' and j.due_at is not null
                          and j.undo = (coalesce(g.state, i.state) = 'compensating')
                          and not exists (select from rows r where r.instance = g.id and r.undo = j.undo and r.ordinal = j.ordinal)),
                      (select min(r.due_at) from rows r where r.instance = g.id and r.state = 'pending'
                          and r.undo = (coalesce(g.state, i.state) = 'compensating')))
                    else i.due_at end,
         changed_at = factline.clock(),
         ended_at = case when g.state in ('completed', 'failed', 'cancelled') then factline.clock() else i.ended_at end
    from given g
   where i.id = g.id
-- include: still_living
  returning i.id, i.workflow_id, i.key, i.ended_at, i.due_at
)
-- include: next_in_line

-- name: record_results
-- Of calls alone. Answers as `publish` does.
-- include: results
select pg_current_xact_id()::text as transaction_id, '' as positions,
  case when (select count(*) from written) < $4::integer
       then factline.refuse(case when (select count(*) from fence) < cardinality($1::integer[]) then 'FL001' else 'FL002' end,
                            'nothing is recorded twice, or by two') end as refused

-- name: record
-- Of instances too. `due`: in how many milliseconds those that changed are; `queued`: the executors of those that are next in line.
-- include: results
-- include: changes
select pg_current_xact_id()::text as transaction_id, '' as positions,
  case when (select count(*) from written) + (select count(*) from changed) < $4::integer
       then factline.refuse(case when (select count(*) from fence) < cardinality($1::integer[]) then 'FL001' else 'FL002' end,
                            'nothing is recorded twice, or by two') end as refused,
  (select json_agg(json_build_array(c.id, greatest(extract(epoch from c.due_at - factline.clock()) * 1000, 0)::bigint))
     from changed c where c.due_at is not null) as due,
  (select json_agg(distinct n.consumer_id) from next_in_line n) as queued

-- name: flush
-- Of waits and events too: $7 [{instance, ordinal, workflow, type, key, after, open}] (waits that begin, or with open: false end), $8 the
-- events (the parameter of `publish`). Rows that can wait are locked before any position is taken.
-- include: results
-- include: changes
, waits as materialized (
  select * from json_to_recordset($7::text::json) as w (instance bigint, ordinal integer, workflow integer, type text, key text, after bigint,
    open boolean)
), opened as (
  insert into factline.workflow_waits (instance_id, ordinal, workflow_id, type, key, after_position)
  select w.instance, w.ordinal, w.workflow, w.type, w.key, w.after from waits w where w.open
  on conflict (instance_id, ordinal) do update set after_position = excluded.after_position
  returning 1
), closed as (
  delete from factline.workflow_waits o using waits w
   where not w.open and o.instance_id = w.instance and o.ordinal = w.ordinal
  returning 1
), held as materialized (
  select (select count(*) from written) + (select count(*) from changed) as recorded,
         (select count(*) from next_in_line) + (select count(*) from opened) + (select count(*) from closed) as others
), published as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from held cross join rows from (json_to_recordset($8::text::json) as (id uuid, type text, source text, key text,
    key_hash integer, data jsonb, meta jsonb, time timestamptz, class text)) with ordinality
    as e (id, type, source, key, key_hash, data, meta, time, class, ordinal)
  where held.recorded = $4::integer and held.others >= 0
  order by e.ordinal
  returning position
)
select pg_current_xact_id()::text as transaction_id,
  (select coalesce(string_agg(position::text, ',' order by position), '') from published) as positions,
  case when (select recorded from held) < $4::integer
       then factline.refuse(case when (select count(*) from fence) < cardinality($1::integer[]) then 'FL001' else 'FL002' end,
                            'nothing is recorded twice, or by two') end as refused,
  (select json_agg(json_build_array(c.id, greatest(extract(epoch from c.due_at - factline.clock()) * 1000, 0)::bigint))
     from changed c where c.due_at is not null) as due,
  (select json_agg(distinct n.consumer_id) from next_in_line n) as queued
