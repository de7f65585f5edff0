-- `factline restored`: a copy or a restored database becomes a log of its own again.

-- name: running_processes
-- $1 the space of session locks. Processes whose session lock is held now, or that beat a moment ago.
select p.app, p.host, p.pid
  from factline.processes p
 where p.beaten_at > factline.clock() - interval '12 seconds'
    or exists (select from pg_locks k
                where k.locktype = 'advisory' and k.granted and k.objsubid = 2 and k.classid::bigint = $1
                  and k.objid::bigint = p.id & 2147483647
                  and k.database = (select oid from pg_database where datname = current_database()))
 order by p.id

-- name: state
select m.log_epoch::text as epoch, m.system_identifier as log_system, s.system_identifier::text as server_system,
       c.timeline_id as timeline,
       (select coalesce(max(position), 0) from factline.events) as visible,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as given,
       (select settled from factline.log_mark) as mark,
       (select coalesce(max(greatest(position, dispatch_limit)), 0) from factline.checkpoints) as checkpoint,
       greatest((select coalesce(max(position), 0) from factline.events),
                (select coalesce(max(position), 0) from factline.parked),
                (select coalesce(max(position), 0) from factline.event_ids),
                (select coalesce(max(start_position), 0) from factline.consumers),
                (select coalesce(max(barrier), 0) from factline.consumer_generations),
                (select coalesce(max(i.top), 0) from factline.consumers c2
                   left join lateral (select max(position) as top from factline.inbox
                                       where consumer_id = c2.id and replay_id = 0) i on true)) as remembered
  from factline.log_meta m, pg_control_system() s, pg_control_checkpoint() c

-- name: lock_log
-- Publishers and readers of the mark wait for the new epoch, or it for them.
lock table factline.log_meta, factline.log_mark in access exclusive mode

-- name: raise_sequence
-- $1 the highest position that anything remembers: none of these is ever given again.
select setval('factline.events_position_seq'::regclass, greatest($1::bigint, 1))

-- name: new_epoch
update factline.log_meta m
   set log_epoch = gen_random_uuid(), system_identifier = s.system_identifier::text, timeline = c.timeline_id
  from pg_control_system() s, pg_control_checkpoint() c
returning m.log_epoch::text as epoch

-- name: forget_processes
-- Rows of the server that the copy was made of; lanes of owners that never come back are taken at the first look.
delete from factline.processes

-- name: create_partitions
select factline.create_partitions_ahead() as made
