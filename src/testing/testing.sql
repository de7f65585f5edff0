-- Used by the test kit only.

-- name: test_databases
-- Databases of test runs that nobody is connected to.
select d.datname as name from pg_database d
where d.datname like 'factline\_test\_%' and not exists (select from pg_stat_activity a where a.datname = d.datname);

-- name: create_statement
-- Databases are made and dropped outside of a transaction, by name: the statement is built here, the name quoted. $1: name.
select format('create database %I', $1::text) as statement;

-- name: copy_statement
-- $1: the new database, $2: the one it becomes a copy of.
select format('create database %I template %I', $1::text, $2::text) as statement;

-- name: drop_statement
-- $1: name.
select format('drop database if exists %I with (force)', $1::text) as statement;

-- name: end_backends
-- How many there are, those included that are still ending. $1: database, $2: how the application name begins.
select count(pg_terminate_backend(pid))::int4 as open from pg_stat_activity
where datname = $1 and starts_with(application_name, $2) and backend_type = 'client backend';

-- name: busy_sessions
-- $1: database.
select count(*)::int4 as busy from pg_stat_activity
where datname = $1 and backend_type = 'client backend' and state is distinct from 'idle';

-- name: effects
-- What a handler did to the outside world, oldest first. $1: consumer.
select f.name, f.idempotency_key as "idempotencyKey", f.state, f.result, f.event_id as "eventId"
from factline.effects f join factline.consumers c on c.id = f.consumer_id
where c.name = $1 order by f.started_at, f.name;

-- name: clock_statement
-- The statement that moves factline.clock() ahead of the server's clock. $1: an interval.
select format('create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
  as $clock$ select clock_timestamp() + interval %L $clock$', $1::text) as statement;

-- name: rewind
-- Puts a stopped app's operational consumers in the state of a crash before their checkpoints were written: what they
-- handled from the position on stands in the inbox only. $1: position. A projection has no such state: its
-- checkpoint commits with its rows.
with behind as (
  select c.id, c.types from factline.consumers c
  where c.class = 'operational' and c.types && (select array_agg(type) from factline.events where position = $1::bigint)
), remembered as (
  insert into factline.inbox (consumer_id, key_hash, position)
  select b.id, e.key_hash, e.position
  from behind b join factline.events e on e.position >= $1 and e.type = any (b.types)
  where not exists (select from factline.parked p where p.consumer_id = b.id and p.replay_id = 0 and p.position = e.position)
  on conflict do nothing
)
update factline.checkpoints set position = least(position, $1 - 1)
where consumer_id in (select id from behind);

-- name: end_session
-- What DISCARD ALL does, but for prepared statements: those nobody notices.
set session authorization default; reset all; close all; unlisten *; select pg_advisory_unlock_all(); discard temp; discard sequences
