-- name: read_tail
-- $1 settled, $2 rows. Always at least one row: the head comes first, then an event or nulls. Read like this the head
-- may be some positions too high for a moment, so it proves nothing; but it takes no lock on the sequence: the tails
-- of other processes would take this one for a publisher.
select given.head, e.position, e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, e.time, e.recorded_at
  from (select case when is_called then last_value else 0 end as head from factline.events_position_seq) given
  left join lateral (
    select position, id, type, source, key, key_hash, data::text as data, meta::text as meta, time, recorded_at
      from factline.events
     where position > $1
     order by position
     limit $2) e on true

-- name: holders_of_both
-- Who holds the sequence and the table (root or leaf): sound only where nobody can call nextval or give positions.
-- 'n/0' has already left the list of running transactions: what it wrote is decided.
select pg_postmaster_start_time()::text as started,
       coalesce(array_agg(holder order by holder), '{}') as holders
  from (
    select l.virtualtransaction as holder
      from pg_locks l
     where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
       and l.virtualtransaction not like '%/0'
       and l.database = (select oid from pg_database where datname = current_database())
       and l.relation in (
         select 'factline.events'::regclass
         union all select 'factline.events_position_seq'::regclass
         union all select inhrelid from pg_inherits where inhparent = 'factline.events'::regclass)
     group by l.virtualtransaction
    having bool_or(l.relation = 'factline.events_position_seq'::regclass)
       and bool_or(l.relation <> 'factline.events_position_seq'::regclass)) h

-- name: holders_of_sequence
-- Who holds the sequence, whatever else: also sound for a separate nextval and for an owner who may do anything.
select pg_postmaster_start_time()::text as started,
       coalesce(array_agg(holder order by holder), '{}') as holders
  from (
    select distinct l.virtualtransaction as holder
      from pg_locks l
     where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
       and l.virtualtransaction not like '%/0'
       and l.database = (select oid from pg_database where datname = current_database())
       and l.relation = 'factline.events_position_seq'::regclass) h

-- name: describe_holder
-- $1 virtual transaction id. A prepared transaction has no process; its gid is found by the lock's absence of a pid.
select l.pid, a.application_name, a.state, a.query, a.xact_start,
       exists (select from pg_locks t
                where t.virtualtransaction = $1 and t.mode = 'RowExclusiveLock' and t.locktype = 'relation'
                  and t.relation in (select 'factline.events'::regclass
                                     union all select inhrelid from pg_inherits where inhparent = 'factline.events'::regclass)) as holds_table,
       case when l.pid is null then (
         select string_agg(p.gid, ', ' order by p.prepared) from pg_prepared_xacts p where p.database = current_database()) end as prepared
  from pg_locks l
  left join pg_stat_activity a on a.pid = l.pid
 where l.virtualtransaction = $1 and l.locktype = 'relation' and l.relation = 'factline.events_position_seq'::regclass
 limit 1

-- name: begin
-- Mark first, head second, both from the same life of the server.
select pg_postmaster_start_time()::text as started,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as head,
       (select settled from factline.log_mark) as mark

-- name: store_mark
-- $1 settled. Never back; no write when another process has stored as much.
update factline.log_mark set settled = $1 where settled < $1

-- name: asynchronous_commit
-- The hint's transaction takes an id and would flush otherwise (31 instead of 9 ms at p99).
set synchronous_commit = off

-- name: listen
listen channel

-- name: unlisten
unlisten channel

-- name: hint
-- $1 channel. On the tail's session, whose commits don't flush. Answers who else reads: nobody, and hints are spared for a while.
select pg_notify($1, ''), (select count(*) from pg_stat_activity
  where datname = current_database() and application_name like '% tail' and pid <> pg_backend_pid())::integer as readers

-- name: hint_alone
-- As hint, from a process without a tail: the setting ends with the statement's own transaction, so nobody's commit waits.
select set_config('synchronous_commit', 'off', true), pg_notify($1, ''), (select count(*) from pg_stat_activity
  where datname = current_database() and application_name like '% tail')::integer as readers
