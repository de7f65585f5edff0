-- name: facts
-- Everything that the proof rests on, in one look at the catalogue (LOG.md §10).
with log as (
  select c.oid, c.relname, c.relowner, c.relacl, a.attidentity, a.attacl,
         'factline.events_position_seq'::regclass as sequence
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'position'
   where c.oid = 'factline.events'::regclass
), leaves as (
  select c.oid, c.relname, c.relkind, c.relowner, c.relacl, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = 'factline.events'::regclass
), writers as (
  -- Grants to anybody but the owner by which a position can be given from outside the identity column.
  select g.grantee, 'INSERT on ' || t.relname as grants
    from (select relname, relowner, relacl from log union all select relname, relowner, relacl from leaves) t
   cross join lateral aclexplode(t.relacl) g
   where g.privilege_type = 'INSERT' and g.grantee <> t.relowner
  union all
  select g.grantee, g.privilege_type || ' on ' || c.relname
    from log join pg_class c on c.oid = log.sequence cross join lateral aclexplode(c.relacl) g
   where g.privilege_type in ('USAGE', 'UPDATE') and g.grantee <> c.relowner
  union all
  select g.grantee, 'INSERT (position) on events'
    from log cross join lateral aclexplode(log.attacl) g
   where g.privilege_type = 'INSERT' and g.grantee <> log.relowner
)
select current_user as role,
       pg_is_in_recovery() as in_recovery,
       log.attidentity = 'a' as identity_always,
       pg_get_serial_sequence('factline.events', 'position') = 'factline.events_position_seq' as sequence_known,
       s.seqcache = 1 as cache_one,
       not s.seqcycle as no_cycle,
       s.seqincrement > 0 as increasing,
       has_sequence_privilege(log.sequence, 'SELECT') as may_read_sequence,
       has_table_privilege('factline.events', 'SELECT') as may_read_events,
       has_table_privilege('factline.log_mark', 'SELECT, UPDATE') as may_store_mark,
       row_security_active('factline.events'::regclass) as rows_hidden,
       exists (select from leaves where bound = 'DEFAULT') as default_partition,
       exists (select from leaves where relkind <> 'r') as leaf_not_a_table,
       pg_has_role(current_user, log.relowner, 'usage') as owner,
       current_setting('is_superuser') = 'on' as superuser,
       (select string_agg(distinct grants || ' to ' || case grantee when 0 then 'public' else pg_get_userbyid(grantee) end, ', ')
          from writers) as position_writers,
       (select count(*) from leaves
         where substring(bound from $$FROM \('(\d+)'\)$$)::bigint
             > case when has_sequence_privilege(log.sequence, 'SELECT')
                    then coalesce(pg_sequence_last_value(log.sequence), 0) else 0 end)::integer as partitions_ahead,
       -- The tail's own session switches it off; pg_settings costs more than all the rest.
       case current_setting('synchronous_commit')
         when 'off' then (select reset_val from pg_settings where name = 'synchronous_commit')
         else current_setting('synchronous_commit') end as synchronous_commit,
       current_setting('fsync') as fsync,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       (select timeline_id from pg_control_checkpoint()) as timeline
  from log join pg_sequence s on s.seqrelid = log.sequence

-- name: progress
-- Visible before given: a publisher in between raises both.
select m.log_epoch::text as epoch, m.system_identifier, m.timeline, m.compacted_below,
       (select settled from factline.log_mark) as mark,
       (select coalesce(max(position), 0) from factline.events) as visible,
       furthest.position as checkpoint, furthest.name as consumer,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as given
  from factline.log_meta m
  left join lateral (
    select k.position, c.name
      from factline.checkpoints k join factline.consumers c on c.id = k.consumer_id
     order by k.position desc
     limit 1) furthest on true

-- name: note_timeline
-- $1 the present timeline.
update factline.log_meta set timeline = $1 where timeline <> $1

-- name: backend
select pg_backend_pid() as pid

-- name: create_partitions
select factline.create_partitions_ahead() as made

-- name: partitions_ahead
-- Empty leaves beyond the highest position given.
select count(*)::integer as ahead
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
 where i.inhparent = 'factline.events'::regclass
   and substring(pg_get_expr(c.relpartbound, c.oid) from $$FROM \('(\d+)'\)$$)::bigint
     > coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0)
