-- The builds of a projection: table, view, stages, switch, and what becomes of old ones.

-- name: relation_of
-- $1 consumer: the table of this build, by the name under which it was made, be it an earlier name of the projection.
select t.relation from factline.consumers k,
  lateral (select format('%s__b%s', n.name, k.build) as relation, n.rank
    from unnest(array_prepend(k.name, k.former_names)) with ordinality as n (name, rank)) t
where k.id = $1::integer and to_regclass(format('factline.%I', t.relation)) is not null
order by t.rank limit 1

-- name: object_of_name
-- $1 schema, $2 name: what stands under the name of a view, and the table of Factline's that it shows.
select c.relkind,
  (select t.relname from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
    join pg_class t on t.oid = d.refobjid
    where r.ev_class = c.oid and t.oid <> c.oid and t.relnamespace = 'factline'::regnamespace limit 1) as source
from pg_class c
where c.relnamespace = to_regnamespace(quote_ident($1::text)) and c.relname = $2::text

-- name: columns_of
-- $1 schema, $2 relation: names and types in order.
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relnamespace = to_regnamespace(quote_ident($1::text)) and c.relname = $2::text and a.attnum > 0 and not a.attisdropped
order by a.attnum

-- name: dependents_of
-- $1 schema, $2 view: other views and the like that would have to be dropped with it.
select distinct format('%I.%I', n.nspname, c.relname) as name
from pg_class v
join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = v.oid and d.classid = 'pg_rewrite'::regclass
join pg_rewrite r on r.oid = d.objid
join pg_class c on c.oid = r.ev_class and c.oid <> v.oid
join pg_namespace n on n.oid = c.relnamespace
where v.relnamespace = to_regnamespace(quote_ident($1::text)) and v.relname = $2::text
order by 1

-- name: grants_of
-- $1 schema, $2 view: what others may do with it.
select a.privilege_type as privilege, g.rolname as grantee, a.is_grantable as grantable
from pg_class v
cross join lateral aclexplode(v.relacl) a
left join pg_roles g on g.oid = a.grantee
where v.relnamespace = to_regnamespace(quote_ident($1::text)) and v.relname = $2::text and a.grantee <> v.relowner

-- name: lock_timeout
-- A waiting DDL statement blocks every reader behind it: rather try again later.
set local lock_timeout = '300ms'

-- name: savepoint
savepoint view

-- name: rollback_to_savepoint
rollback to savepoint view

-- name: builds_of
-- $1 names and former names, or null for every projection: the builds that are not retired, oldest first, with how far each
-- is. What an older release has registered has no row of its own in builds. A build is fed while a process that lives works
-- its lanes. A table of at most hundreds of rows.
select k.id, k.app, k.name, k.former_names, k.version, k.build, k.state, k.types, k.start_position,
       coalesce(b.stage, case k.state when 'building' then 'filling' else k.state end) as stage,
       coalesce(b.switching, 'automatic') as switching, coalesce(b.shards, 1) as shards, b.ceiling, b.obstacle, b.finding,
       b.started_by, b.reason, coalesce(b.started_at, k.registered_at) as started_at,
       extract(epoch from factline.clock() - coalesce(b.started_at, k.registered_at)) * 1000 as age_ms,
       extract(epoch from factline.clock() - b.stage_since) * 1000 as stage_ms,
       c.lanes, coalesce(c.position, k.start_position) as position, coalesce(c.mean, k.start_position) as mean_position, c.fed,
       -- Null for who may not look at the sequence: the end of the log does as well.
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), (select max(position) from factline.events), 0) as head
  from factline.consumers k
  left join factline.builds b on b.consumer_id = k.id
 cross join lateral (
  select count(*) as lanes, min(c.position) as position, avg(c.position)::bigint as mean,
         bool_and(coalesce(p.beaten_at > factline.clock() - interval '12 seconds', false)) as fed
    from factline.lanes l
    join factline.checkpoints c using (consumer_id, lane)
    left join factline.processes p on p.id = l.owner
   where l.consumer_id = k.id) c
 where k.class = 'projection' and k.state <> 'retired'
   and ($1::text[] is null or k.name = any ($1::text[]) or k.former_names && $1::text[])
 order by k.name, k.build

-- name: lock_builds
-- $1 names and former names: one change of a projection's builds at a time.
select id from factline.consumers
where class = 'projection' and state <> 'retired' and (name = any ($1::text[]) or former_names && $1::text[])
order by id for update

-- name: hold_lanes
-- $1 a build: its owners' commits wait for us, so that it stands still.
select lane from factline.lanes where consumer_id = $1::integer order by lane for update

-- name: positions_of
-- $1 the build that is read, $2 the one that is to take its place.
select (select min(c.position) from factline.checkpoints c where c.consumer_id = $1::integer) as live,
       (select min(c.position) from factline.checkpoints c where c.consumer_id = $2::integer) as build

-- name: parked_only_here
-- $1 a build, $2 the build that is read: events that are parked in the one and were handled, or never seen, by the other.
-- Served by parked_position.
select count(distinct p.position) as events, count(distinct p.position) filter (where p.state = 'quarantined') as quarantined,
       min(p.id) as first
  from factline.parked p
 where p.consumer_id = $1::integer and p.replay_id = 0
   and not exists (select from factline.parked o
     where o.consumer_id = $2::integer and o.replay_id = 0 and o.position = p.position)

-- name: views_of
-- $1 a build that is read: the views that show its table, under the name of the projection and under earlier ones.
select distinct v.relname = k.name as own, n.nspname as schema, v.relname as name
  from factline.consumers k,
       unnest(array_prepend(k.name, k.former_names)) as m (name),
       pg_class t, pg_depend d, pg_rewrite r, pg_class v, pg_namespace n
 where k.id = $1::integer and t.relname = format('%s__b%s', m.name, k.build) and t.relnamespace = 'factline'::regnamespace
   and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_rewrite'::regclass
   and r.oid = d.objid and v.oid = r.ev_class and v.relname = any (array_prepend(k.name, k.former_names)) and n.oid = v.relnamespace
 order by own desc, schema, name

-- name: enter_stage
-- $1 build, $2 stage, $3 state of the consumer, $4 stages before it, $5 obstacle, $6 finding or null to keep it. No row: the
-- build stands elsewhere, somebody else was quicker.
with entered as (
  insert into factline.builds as b (consumer_id, stage, obstacle, finding)
  select k.id, $2::text, $5::text, $6::text::jsonb from factline.consumers k where k.id = $1::integer and k.state <> 'retired'
  on conflict (consumer_id) do update
    set stage = excluded.stage, obstacle = excluded.obstacle, finding = coalesce(excluded.finding, b.finding),
        stage_since = case when b.stage = excluded.stage then b.stage_since else factline.clock() end
    where b.stage = any ($4::text[]) or b.stage = excluded.stage
  returning consumer_id
)
update factline.consumers set state = $3::text where id in (select consumer_id from entered) returning id

-- name: note_obstacle
-- $1 build, $2 why it is not read yet. Written only when it is another one.
update factline.builds set obstacle = $2::text where consumer_id = $1::integer and obstacle is distinct from $2::text

-- name: describe_build
-- $1 build, $2 stage, $3 switching, $4 shards, $5 ceiling, $6 who began it, $7 why: in the transaction that makes it.
insert into factline.builds (consumer_id, stage, switching, shards, ceiling, started_by, reason)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: take_away
-- $1 consumer: whoever works its lanes finds another token.
update factline.lanes set token = token + 1, owner = null, released = true where consumer_id = $1::integer

-- name: forget_objectives
-- $1 a build: what was sampled while nobody read it says nothing about the promise. At most 744 and 500 rows.
with hours as (
  delete from factline.objective_hours where consumer_id = $1::integer
)
delete from factline.objective_minutes where consumer_id = $1::integer

-- name: hand_on_objectives
-- $1 the build that was read, $2 the one that is read from now on.
with hours as (
  update factline.objective_hours set consumer_id = $2::integer where consumer_id = $1::integer
)
update factline.objective_minutes set consumer_id = $2::integer where consumer_id = $1::integer

-- name: next_build
-- $1 name: of the build that a rebuild makes, the build that is on its way to being read, if there is one, and the log's end.
select max(k.build) + 1 as next,
       min(k.build) filter (where b.stage in ('filling', 'checking', 'ready', 'differs')) as under_way,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as head
  from factline.consumers k left join factline.builds b on b.consumer_id = k.id and k.state <> 'retired'
 where k.name = $1::text

-- name: outdated_builds
-- $1 name, $2 the build that is read: earlier ones whose table may be there although nobody needs it any more. One of an older
-- version that never went live is fed as long as a process declares it; one that is the way back stays.
-- The table has the name under which it was made.
select k.id, t.relation from factline.consumers k
left join factline.builds b on b.consumer_id = k.id
cross join unnest(array_prepend(k.name, k.former_names)) as n (name)
cross join format('%s__b%s', n.name, k.build) as t (relation)
where k.name = $1::text and k.class = 'projection' and k.build < $2::integer
  and (k.state = 'retired' or (k.state = 'building' and b.stage is distinct from 'standby'
    and not exists (select from factline.processes p where p.declared ? k.id::text)
    and not exists (select from factline.lanes l where l.consumer_id = k.id and l.owner is not null)))
  and to_regclass(format('factline.%I', t.relation)) is not null

-- name: lanes_to_merge
-- $1 a build: into how many lanes its newest generation splits it, and where the slowest stands.
select (select g.lanes from factline.consumer_generations g where g.consumer_id = $1::integer order by g.generation desc limit 1) as lanes,
       (select min(c.position) from factline.checkpoints c where c.consumer_id = $1::integer) as position

-- name: forget_build
-- $1 consumer: what was kept for a build whose table is gone. Its row stays, so that its number is not used again.
with parked as (
  delete from factline.parked where consumer_id = $1::integer
), described as (
  delete from factline.parked_events where consumer_id = $1::integer
), checkpoint as (
  delete from factline.checkpoints where consumer_id = $1::integer
), lane as (
  delete from factline.lanes where consumer_id = $1::integer
), handled as (
  delete from factline.inbox where consumer_id = $1::integer
), described_build as (
  update factline.builds set stage = 'retired', obstacle = null, stage_since = factline.clock() where consumer_id = $1::integer
)
update factline.consumers set state = 'retired' where id = $1::integer

-- name: wake_owners
select pg_notify('factline_requests', $1::text)

-- name: one_snapshot
-- First in a transaction: all its statements see the same state, and read ranges by their index.
set transaction isolation level repeatable read, read only

-- name: by_index
set local enable_seqscan = off

-- name: key_columns_of
-- $1 relation: the primary key of a build's table, in order.
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
from pg_index i
join pg_class c on c.oid = i.indrelid and c.relname = $1::text and c.relnamespace = 'factline'::regnamespace
cross join unnest(i.indkey) with ordinality as k (attnum, place)
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
where i.indisprimary
order by k.place

-- name: events_between
-- $1 after, $2 up to, $3 types: whether anything lies between two positions that matters to a projection. Served by events_pkey.
select exists (select from factline.events where position > $1::bigint and position <= $2::bigint and type = any ($3::text[])) as any
