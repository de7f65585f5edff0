-- Facts of Factline's own, from where the triggers of 0005 wrote them into the log.

-- name: switch_on
insert into factline.system_event_apps (app) values ($1) on conflict do nothing

-- name: switch_off
-- $1 the app. What was noted and not published yet is not: nobody wants it any more.
with off as (
  delete from factline.system_event_apps where app = $1
)
delete from factline.system_facts where app = $1

-- name: waiting
-- $1 the app.
select exists (select from factline.system_facts where app = $1) as waiting

-- name: take
-- $1 the app, $2 how many. One process at a time, so that the facts of a consumer are published in order. What became of an event in
-- quarantine is known by now.
with turn as materialized (
  select pg_try_advisory_xact_lock(hashtext('factline.system_events'), hashtext($1)) as mine
), taken as (
  delete from factline.system_facts f using turn
   where turn.mine and f.app = $1
     and f.id in (select n.id from factline.system_facts n where n.app = $1 order by n.id limit $2)
  returning f.id, f.kind, f.facts
)
select t.kind, t.facts,
       t.kind = 'key.released' and exists (select from factline.quarantine_discards d
                                            where d.parked_id = (t.facts ->> 'number')::bigint and d.restored_at is null) as discarded
  from taken t order by t.id
