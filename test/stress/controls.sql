-- Wrong readers, on purpose: each must be caught losing events. They do not belong to the product.

-- name: rows
select position from factline.events where position > $1 order by position limit 500

-- name: head
select coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as head

-- name: holders
select coalesce(array_agg(distinct virtualtransaction), '{}') as holders from pg_locks
 where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
   and database = (select oid from pg_database where datname = current_database())
   and relation = 'factline.events_position_seq'::regclass

-- name: at_once
-- Rows, head and holders by one statement: its snapshot is older than its look at the locks.
with snapshot as materialized (
  select coalesce(array_agg(position order by position), '{}') as positions
    from (select position from factline.events where position > $1 order by position limit 500) e
), head as materialized (
  select coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as head, snapshot.positions from snapshot
), pause as materialized (
  select pg_sleep($2), head.* from head
)
select positions, head,
       (select coalesce(array_agg(distinct l.virtualtransaction), '{}') from pg_locks l
         where pause.head >= 0 and l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
           and l.database = (select oid from pg_database where datname = current_database())
           and l.relation = 'factline.events_position_seq'::regclass) as holders
  from pause

-- name: holders_with_process
select coalesce(array_agg(distinct virtualtransaction), '{}') as holders from pg_locks
 where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and pid is not null
   and database = (select oid from pg_database where datname = current_database())
   and relation = 'factline.events_position_seq'::regclass
