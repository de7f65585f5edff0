-- Which connections nobody serves any more.

-- name: gone_processes
-- $1 numbers of server processes, as each connection was told at its beginning; $2 the name that all of them gave. Another server, to which a
-- failover has led, may have given such a number to somebody else.
select pid from unnest($1::integer[]) as asked (pid)
where not exists (select from pg_stat_activity a where a.pid = asked.pid and a.application_name = $2);
