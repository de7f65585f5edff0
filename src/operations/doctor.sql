-- What goes wrong in practice, looked up for `factline doctor`.

-- name: server
select current_setting('server_version') as version, current_setting('server_version_num')::integer as version_number,
       pg_is_in_recovery() as standby, current_setting('default_transaction_read_only') = 'on' as read_only,
       current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('max_connections')::integer as max_connections,
       current_setting('superuser_reserved_connections')::integer as reserved_connections,
       current_setting('max_prepared_transactions')::integer as max_prepared_transactions,
       (select reset_val from pg_settings where name = 'idle_in_transaction_session_timeout')::integer as idle_in_transaction_ms,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       (select rolconnlimit from pg_roles where rolname = current_user) as role_limit,
       (select datconnlimit from pg_database where datname = current_database()) as database_limit,
       current_user as role, current_database() as database

-- name: backend
select pg_backend_pid() as pid

-- name: server_clock
select clock_timestamp() as now, factline.clock() as engine

-- name: tables
-- Without VACUUM the tables that are updated all the time grow; none in a day is suspicious where much is dead.
select s.relname as name, s.n_live_tup as live, s.n_dead_tup as dead,
       greatest(s.last_vacuum, s.last_autovacuum) as vacuumed_at
  from pg_stat_user_tables s
 where s.schemaname = 'factline' and s.n_dead_tup > 10000 and s.n_dead_tup > 5 * s.n_live_tup
 order by s.n_dead_tup desc

-- name: open_transactions
-- $1 milliseconds. Sessions of this database that hold locks on the log for long, so that the tail waits for them.
select a.pid, a.application_name, a.state, a.query,
       extract(epoch from clock_timestamp() - a.xact_start) * 1000 as age_ms
  from pg_stat_activity a
 where a.xact_start < clock_timestamp() - make_interval(secs => $1::double precision / 1000)
   and exists (select from pg_locks l
                where l.pid = a.pid and l.database = (select d.oid from pg_database d where d.datname = current_database())
                  and l.locktype = 'relation' and l.mode = 'RowExclusiveLock'
                  and l.relation = 'factline.events_position_seq'::regclass)
 order by a.xact_start

-- name: prepared_transactions
select gid, extract(epoch from clock_timestamp() - prepared) * 1000 as age_ms
  from pg_prepared_xacts where database = current_database() and prepared < clock_timestamp() - interval '1 minute'
 order by prepared

-- name: open_requests
select count(*) as open, coalesce(extract(epoch from factline.clock() - min(requested_at)) * 1000, 0) as oldest_ms
  from factline.requests where state = 'open'

-- name: dead_processes
-- $1 the space of session locks. Processes that own lanes but neither hold their session lock nor beat.
select p.id, p.host, p.pid, extract(epoch from factline.clock() - p.beaten_at) * 1000 as silent_ms,
       (select count(*) from factline.lanes l where l.owner = p.id) as lanes
  from factline.processes p
 where p.beaten_at < factline.clock() - interval '30 seconds'
   and exists (select from factline.lanes l where l.owner = p.id)
   and not exists (select from pg_locks k
                    where k.locktype = 'advisory' and k.granted and k.objsubid = 2 and k.classid::bigint = $1
                      and k.objid::bigint = p.id & 2147483647
                      and k.database = (select oid from pg_database where datname = current_database()))
 order by p.id

-- name: running_processes
-- The newest beat of each process that shows a sign of life.
select p.app, p.host, p.pid, p.code_version, p.direct_session from factline.processes p
 where p.beaten_at > factline.clock() - interval '12 seconds' order by p.id
