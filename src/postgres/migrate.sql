-- name: lock
-- One migrator at a time, whatever the number of processes that start at once.
select pg_advisory_xact_lock(hashtext('factline.migrate'));

-- name: table
create table if not exists factline.migrations (
  name        text primary key,
  breaking    boolean not null default false,
  migrated_at timestamptz not null default clock_timestamp()
);

-- name: schema
create schema if not exists factline;

-- name: exists
select to_regclass('factline.migrations') is not null as "exists";

-- name: applied
select name, breaking from factline.migrations order by name;

-- name: note
insert into factline.migrations (name, breaking) values ($1, $2);

-- name: server
select current_setting('server_version_num')::integer as version, current_setting('server_version') as text,
  pg_is_in_recovery() as standby, current_setting('default_transaction_read_only') = 'on' as read_only;
