-- The columns of an event are the same, in the same order, in every statement here and in tail.sql (stored-event.ts).
-- Served by events_pkey; the partitions are walked in order.

-- name: read_range
-- $1 after (exclusive), $2 up to (inclusive), $3 rows. Refuses a range whose beginning was compacted, also an empty one.
select position, id, type, source, key, key_hash, data::text, meta::text, time, recorded_at
  from factline.events
 where position > $1 and position <= $2
   and (select case when m.compacted_below <= $1 + 1 then true
               else factline.refuse('FL004', 'the range is compacted', m.compacted_below::text) end
          from factline.log_meta m)
 order by position
 limit $3

-- name: read_range_of_types
-- As read_range, $4 types. The caller bounds the span: no index leads by type.
select position, id, type, source, key, key_hash, data::text, meta::text, time, recorded_at
  from factline.events
 where position > $1 and position <= $2
   and type = any($4::text[])
   and (select case when m.compacted_below <= $1 + 1 then true
               else factline.refuse('FL004', 'the range is compacted', m.compacted_below::text) end
          from factline.log_meta m)
 order by position
 limit $3

-- name: read_range_of_share
-- As read_range, $4 types or null, $5 lanes, $6 lane: the keys of one lane. Here, too, the caller bounds the span.
select position, id, type, source, key, key_hash, data::text, meta::text, time, recorded_at
  from factline.events
 where position > $1 and position <= $2
   and (key_hash::bigint & 4294967295) % $5::bigint = $6::bigint
   and ($4::text[] is null or type = any($4::text[]))
   and (select case when m.compacted_below <= $1 + 1 then true
               else factline.refuse('FL004', 'the range is compacted', m.compacted_below::text) end
          from factline.log_meta m)
 order by position
 limit $3

-- name: read_positions
-- $1 positions.
select position, id, type, source, key, key_hash, data::text, meta::text, time, recorded_at
  from factline.events
 where position = any($1::bigint[])
 order by position

-- name: barrier
-- The highest position given to anybody so far. Not `last_value` of the sequence itself: that one was seen too high.
select coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as barrier

-- name: head
-- The highest visible position and the highest position given.
select coalesce((select max(position) from factline.events), 0) as visible,
       coalesce(pg_sequence_last_value('factline.events_position_seq'::regclass), 0) as given

-- name: count_span
-- $1 after (exclusive), $2 up to (inclusive).
select count(*) as count from factline.events where position > $1 and position <= $2

-- name: positions_of_span
-- $1 after (exclusive), $2 up to (inclusive). Only when the count was wrong.
select coalesce(array_agg(position order by position), '{}') as positions
  from factline.events where position > $1 and position <= $2
