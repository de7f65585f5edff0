-- The builds of a projection: table, view, switch, and what becomes of old ones.

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

-- name: hold_lane
-- $1 consumer, $2 lane, $3 token: the fence of a transaction of several statements.
select case when not exists (
    select from factline.lanes where consumer_id = $1::integer and lane = $2::integer and token = $3::bigint for share)
  then factline.refuse('FL001', 'the lane was taken over') end as refused

-- name: live_build
-- $1 name and former names, $2 the build that wants to take its place: its row is locked against a second switch.
select id, name, build, version from factline.consumers
where (name = any ($1::text[]) or former_names && $1::text[]) and class = 'projection' and state = 'live' and id <> $2::integer
for update

-- name: hold_back
-- $1 the live build: its owner's commits wait for us, so its checkpoint stands still. Returns it.
with lane as materialized (
  select consumer_id, lane from factline.lanes where consumer_id = $1::integer and lane = 0 for update
)
select c.position from factline.checkpoints c join lane on lane.consumer_id = c.consumer_id and lane.lane = c.lane

-- name: unread_build
-- $1 the build that was read until now, $2 what it becomes: 'retired', or 'building' while older code still feeds it.
update factline.consumers set state = $2::text where id = $1::integer

-- name: take_away
-- $1 consumer: whoever works its lane finds another token.
update factline.lanes set token = token + 1, owner = null, released = true where consumer_id = $1::integer

-- name: read_build
update factline.consumers set state = 'live' where id = $1::integer

-- name: next_build
-- $1 name: of the build that a rebuild makes, and whether one is under way.
select max(build) + 1 as next, bool_or(state = 'building' and build > (
    select max(l.build) from factline.consumers l where l.name = $1::text and l.state = 'live')) as under_way
from factline.consumers where name = $1::text

-- name: outdated_builds
-- $1 name, $2 a build: earlier ones that nobody feeds any more but whose table may be there. A build of an older version is
-- fed as long as a process declares it.
select k.id, k.name, k.build, k.state, k.former_names from factline.consumers k
where k.name = $1::text and k.class = 'projection' and k.build < $2::integer
  and (k.state = 'retired' or (k.state = 'building'
    and not exists (select from factline.processes p where p.declared ? k.id::text)
    and not exists (select from factline.lanes l where l.consumer_id = k.id and l.owner is not null)))
  and to_regclass(format('factline.%I', format('%s__b%s', k.name, k.build))) is not null

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
)
update factline.consumers set state = 'retired' where id = $1::integer

-- name: wake_owners
select pg_notify('factline_requests', $1::text)
