-- The first and the last statements of a transaction that is always rolled back (rehearsal.ts).

-- name: begin_rehearsal
-- Whoever would have to wait for a lock gives up after $1 milliseconds. Answers what this session counts already: the server's
-- figures go on over transactions until they are reported.
select set_config('lock_timeout', $1::text, true),
  (select coalesce(json_agg(json_build_array(c.oid::bigint,
            pg_stat_get_xact_tuples_inserted(c.oid), pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid))), '[]')
     from pg_class c
    where c.relkind in ('r', 'm') and c.relpersistence <> 't' and c.oid >= 16384
      and pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_xact_tuples_deleted(c.oid) > 0) as counts

-- name: check_constraints
-- What COMMIT would do now: deferred constraints and triggers.
set constraints all immediate

-- name: count_changes
-- Rows written by this session since its figures were last reported, by table: triggers and cascades included, and what a
-- savepoint took back.
select c.oid::bigint as id, format('%s.%s', n.nspname, c.relname) as name,
  pg_stat_get_xact_tuples_inserted(c.oid) as inserted, pg_stat_get_xact_tuples_updated(c.oid) as updated,
  pg_stat_get_xact_tuples_deleted(c.oid) as deleted
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm') and c.relpersistence <> 't' and c.oid >= 16384
   and pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
     + pg_stat_get_xact_tuples_deleted(c.oid) > 0
 order by n.nspname, c.relname
