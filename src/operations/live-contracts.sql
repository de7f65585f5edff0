-- What runs, for reviews of contracts.

-- name: live_code
-- $1 the space of session locks. One row for each app, version and code among the processes that live; a handful of processes.
select p.app, p.code_version, count(*)::int as processes, p.code
  from factline.processes p
 where p.beaten_at > factline.clock() - interval '12 seconds'
    or exists (select from pg_locks k
                where k.locktype = 'advisory' and k.granted and k.objsubid = 2 and k.classid::bigint = $1
                  and k.objid::bigint = p.id & 2147483647
                  and k.database = (select oid from pg_database where datname = current_database()))
 group by p.app, p.code_version, p.code
 order by p.app, min(p.started_at)
