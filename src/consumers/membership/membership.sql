-- Who runs. Called by every process at its start, every two seconds and at wake-ups, and at its end.

-- name: join_processes
-- Forgets, by the way, processes that died long ago and own nothing any more; a session lock protects one that sleeps.
with forgotten as (
  delete from factline.processes p
   where p.app = $1 and p.beaten_at < factline.clock() - interval '1 day'
     and not exists (select 1 from factline.lanes l where l.owner = p.id)
     and not exists (select 1 from pg_locks k
                      where k.locktype = 'advisory' and k.classid::bigint = $7
                        and k.objid::bigint = p.id & 2147483647
                        and k.database = (select oid from pg_database where datname = current_database()))
)
insert into factline.processes (app, incarnation, host, pid, code_version, code, direct_session)
values ($1, $2, $3, $4, $5, $6::jsonb, false)
returning id

-- name: rejoin_processes
-- The row of a living process was removed (only a person does that): it comes back under its id.
insert into factline.processes (id, app, incarnation, host, pid, code_version, code, direct_session)
overriding system value values ($1, $2, $3, $4, $5, $6, $7::jsonb, false)
on conflict do nothing

-- name: leave_processes
delete from factline.processes where id = $1

-- name: announce_process
-- The others look at once, so that a process that joined gets its share within a second or two.
select pg_notify('factline_requests', $1::text)

-- name: hold_session_lock
-- On the direct session. Shared, so that a new connection need not wait until the server has noticed the end of the old
-- one; it is only ever looked up in pg_locks. Noted, for as long as the server lives: see session_locks.
with noted as (
  insert into factline.session_locks (process_id, server_started_at)
  select id, pg_postmaster_start_time() from factline.processes where id = $3::bigint
  on conflict (process_id) do update set server_started_at = excluded.server_started_at
)
select pg_advisory_lock_shared($1::int, $2::int), pg_backend_pid() as backend

-- name: beat
-- The one statement of an idle process: its own sign of life, and everything it has to know of the others. $6: ids of
-- the consumers that it runs. Served by the primary keys, parked_due, replays_at_work and requests_open; the time stands in a subquery of
-- its own because a volatile function is no condition of an index.
with moment as materialized (
  select factline.clock() as now
), me as (
  update factline.processes
     set beat = beat + 1, beaten_at = (select now from moment), direct_session = $2,
         server_started_at = pg_postmaster_start_time(), declared = $3::jsonb
   where id = $1
  returning id
), held as (
  select objid::bigint as process from pg_locks
   where locktype = 'advisory' and granted and objsubid = 2 and classid::bigint = $5
     and database = (select oid from pg_database where datname = current_database())
)
select
  (select count(*) from me) as known,
  (select coalesce(json_agg(json_build_object(
            'id', p.id, 'beat', p.beat, 'declared', p.declared,
            'session', case
              when not p.direct_session then 'none'
              when exists (select 1 from held h where h.process = p.id & 2147483647) then 'held'
              when exists (select 1 from factline.session_locks s
                            where s.process_id = p.id and s.server_started_at = pg_postmaster_start_time()) then 'ended'
              when p.id in (select l.owner from factline.lanes l where l.owner is not null) then 'awaited'
              else 'ended' end)), '[]')
     from factline.processes p where p.app = $4) as processes,
  (select coalesce(json_agg(json_build_object(
            'id', c.id, 'name', c.name, 'formerNames', c.former_names, 'version', c.version, 'state', c.state,
            'leading', c.generation,
            'latest', (select max(g.generation) from factline.consumer_generations g where g.consumer_id = c.id),
            'pausedReason', c.paused_reason, 'pausedBy', c.paused_by, 'pausedAt', c.paused_at,
            'held', (select coalesce(json_agg(json_build_object('scope', h.scope, 'value', h.value) order by h.scope, h.value), '[]')
                       from factline.pauses h where h.consumer_id = c.id))), '[]')
     from factline.consumers c where c.app = $4 and c.state <> 'retired') as consumers,
  (select coalesce(json_agg(json_build_array(
            l.consumer_id, l.lane, l.generation, l.token, l.owner, l.stop_at, k.position)
            order by l.consumer_id, l.lane), '[]')
     from factline.lanes l join factline.checkpoints k using (consumer_id, lane)
    where l.consumer_id in (select c.id from factline.consumers c where c.app = $4 and c.state <> 'retired')) as lanes,
  (select coalesce(json_agg(json_build_object(
            'id', r.id, 'consumerId', r.consumer_id, 'verb', r.verb, 'parkedId', r.parked_id,
            'arguments', r.arguments, 'actor', r.actor, 'reason', r.reason,
            'keyHash', coalesce((select p.key_hash from factline.parked p where p.id = r.parked_id),
              (select i.key_hash from factline.workflow_instances i where i.id = (r.arguments ->> 'instance')::bigint),
              (select (d.keys -> 0 ->> 'keyHash')::int from factline.quarantine_discards d where d.parked_id = r.parked_id)))
            order by r.id), '[]')
     from factline.requests r where r.state = 'open' and r.consumer_id = any ($6::int[])) as requests,
  (select coalesce(json_agg(c.id), '[]') from unnest($6::int[]) as c (id)
    where exists (select 1 from factline.parked p
                   where p.consumer_id = c.id and p.state = 'retrying' and p.next_at <= (select now from moment) and p.replay_id = 0)
       or exists (select 1 from factline.replays r where r.consumer_id = c.id and r.state in ('canary', 'running', 'verifying'))
       or exists (select 1 from factline.workflow_instances i where i.consumer_id = c.id and i.due_at <= (select now from moment))
       or exists (select 1 from factline.breakers b
                   where b.consumer_id = c.id and b.state = 'open' and b.probe_at <= (select now from moment))) as due,
  (select coalesce(json_agg(w.chore), '[]') from (values
     -- Under way; or events that were handed over and of which nobody has noted yet what became of them; or an end that left some behind:
     -- of a rebuild, a build that nobody reads yet, or that may still be made.
     ('replays', exists (select 1 from factline.replays r where r.consumer_id = any ($6::int[]) and r.state in ('canary', 'running', 'verifying'))
       or exists (select 1 from factline.replay_selection s
                    join factline.replays r on r.id = s.replay_id and r.freeze_number = s.freeze_number
                   where s.released_at is not null and s.outcome is null and r.consumer_id = any ($6::int[]))
       or exists (select 1 from factline.replays r
                   where r.consumer_id = any ($6::int[]) and r.state in ('aborted', 'failed')
                     and (exists (select 1 from factline.parked p
                                   where p.consumer_id = r.consumer_id and p.replay_id = r.id and p.state in ('waiting', 'retrying', 'running'))
                          or exists (select 1 from factline.requests q
                                      where q.consumer_id = r.consumer_id and q.state = 'open' and q.verb = 'release'
                                        and (q.arguments ->> 'replay')::bigint = r.id)))),
     ('rebuilds', exists (select 1 from factline.replays r
                           where r.mode = 'blue-green'
                             and (r.state in ('running', 'paused', 'verifying')
                                  or r.state in ('aborted', 'failed') and r.ended_at > (select now from moment) - interval '7 days'
                                     and exists (select 1 from factline.requests q
                                                  where q.id = r.request_id
                                                    and (q.state = 'open' or exists (
                                                      select 1 from factline.consumers g left join factline.builds b on b.consumer_id = g.id
                                                       where (g.name = r.consumer or r.consumer = any (g.former_names))
                                                         and g.build = (q.answer ->> 'build')::int and g.state = 'building'
                                                         and b.stage is distinct from 'standby')))))),
     ('releases', exists (select 1 from factline.quarantine_releases r where r.state in ('canary', 'releasing'))
       or exists (select 1 from factline.quarantine_release_items i where i.state = 'sent'))
   ) as w (chore, waits) where w.waits) as chores
