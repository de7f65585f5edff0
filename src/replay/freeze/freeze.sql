-- Freezing a selection. The log is walked by position in spans of a bounded size; each span is one statement with a time limit.

-- name: limit_statement
-- $1 milliseconds; to the end of the transaction.
select set_config('statement_timeout', $1, true)

-- part: matching
-- $1 types, $2 keys, $3 since, $4 until, $5 ids, $6 jsonpath, $7 its variables; null: any. The jsonpath is made by compilePredicate;
-- values are only in the variables.
       e.type = any ($1::text[])
   and ($2::text[] is null or e.key = any ($2::text[]))
   and ($3::timestamptz is null or e.recorded_at >= $3::timestamptz)
   and ($4::timestamptz is null or e.recorded_at < $4::timestamptz)
   and ($5::uuid[] is null or e.id = any ($5::uuid[]))
   and ($6::jsonpath is null or coalesce(jsonb_path_match(e.data, $6::jsonpath, $7::text::jsonb, true), false))

-- name: freeze_span
-- What matches, $8 after, $9 up to, $10 rows at most, becomes the selection of $11 replay, $12 freeze. Served by events_pkey.
with matching as (
  select e.position, e.key_hash from factline.events e
   where e.position > $8 and e.position <= $9 and
-- include: matching
   order by e.position limit $10
), added as (
  insert into factline.replay_selection (replay_id, freeze_number, position, key_hash)
  select $11::bigint, $12::integer, m.position, m.key_hash from matching m
  returning 1
)
select count(*) as count from added

-- name: sample_spans
-- What matches in spans that begin at $8 positions, of $9 positions each, none after $10: by type, and where the type is null of all together,
-- the sums over the spans, of the squares as well, and the heaviest span. A span without any is left out: it adds nothing to a sum.
select s.type, sum(s.events) as events, sum(s.events ^ 2) as events_squared, sum(s.bytes) as bytes, sum(s.bytes ^ 2) as bytes_squared,
       max(s.bytes) as bytes_most
  from unnest($8::bigint[]) as span (first)
 cross join lateral (
  select e.type, count(*)::double precision as events, sum(pg_column_size(e.data))::double precision as bytes
    from factline.events e
   where e.position >= span.first and e.position < span.first + $9::integer and e.position <= $10::bigint and
-- include: matching
   group by grouping sets ((e.type), ())) s
 where s.events > 0 group by s.type

-- name: freeze_group
-- $1 replay, $2 freeze, $3 consumer, $4 fingerprint, $5 rows at most: what is in quarantine with it now. Served by parked_group.
with chosen as (
  select distinct on (p.position) p.position, p.key_hash
    from factline.quarantine_groups g join factline.parked p on p.group_id = g.id
   where g.consumer_id = $3 and g.fingerprint = $4 and p.consumer_id = g.consumer_id and p.state = 'quarantined' and p.replay_id = 0
   order by p.position limit $5
), added as (
  insert into factline.replay_selection (replay_id, freeze_number, position, key_hash)
  select $1::bigint, $2::integer, c.position, c.key_hash from chosen c
  returning 1
)
select count(*) as count from added

-- name: count_joined
-- $1 replay, $2 freeze, $3 consumer, $4 fingerprint: in quarantine with it now, and not selected.
select count(distinct p.position) as count
  from factline.quarantine_groups g join factline.parked p on p.group_id = g.id
 where g.consumer_id = $3 and g.fingerprint = $4 and p.state = 'quarantined' and p.replay_id = 0
   and not exists (select from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2 and s.position = p.position)

-- name: count_matching
-- $8 after, $9 up to.
select count(*) as count from factline.events e
 where e.position > $8 and e.position <= $9 and
-- include: matching

-- name: exclude_parked
-- $1 replay, $2 freeze, $3 consumer: what is parked is released or discarded, not replayed.
update factline.replay_selection s
   set excluded = case when p.state = 'quarantined' then 'in quarantine' else 'parked' end
  from factline.parked p
 where s.replay_id = $1 and s.freeze_number = $2 and p.consumer_id = $3 and p.replay_id = 0 and p.position = s.position

-- name: exclude_past_facts
-- $1 replay, $2 freeze: what the consumer never handled, since it entered by a backfill.
update factline.replay_selection s set excluded = 'past fact'
  from factline.events e
 where s.replay_id = $1 and s.freeze_number = $2 and s.excluded is null and e.position = s.position and e.meta ? 'backfill'

-- name: exclude_unhandled
-- $1 replay, $2 freeze, $3 consumer: what the consumer will handle anyway. Under ordering 'none' the lane follows from the
-- event's id, which only the process can hash: then the lowest checkpoint decides.
update factline.replay_selection s
   set excluded = 'not handled yet'
  from factline.consumers c
 where s.replay_id = $1 and s.freeze_number = $2 and c.id = $3 and s.excluded is null
   and s.position > (select min(k.position) from factline.checkpoints k
                      where k.consumer_id = c.id
                        and (c.ordering = 'none' or c.lanes = 1
                             or k.lane = ((s.key_hash::bigint & 4294967295) % c.lanes)::integer))
   and not exists (select from factline.inbox i where i.consumer_id = c.id and i.replay_id = 0 and i.position = s.position)

-- name: excluded_counts
-- $1 replay, $2 freeze.
select coalesce(s.excluded, '') as why, count(*) as count, min(s.position) as first, max(s.position) as last
  from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2 group by 1

-- name: selection_digest
-- $1 replay, $2 freeze: SHA-256 over the positions in order and what is excluded.
select encode(sha256(convert_to(coalesce(string_agg(s.position || coalesce(':' || s.excluded, ''), ',' order by s.position), ''), 'UTF8')), 'hex') as digest
  from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2

-- name: drop_freezes
-- Those before $2: a later one may be under way. Two that clear away at once would lock the same rows in different orders.
with replay as materialized (
  select from factline.replays where id = $1 for update
)
delete from factline.replay_selection where replay_id = $1 and freeze_number < $2 and exists (select from replay)

-- name: position_at
-- $1 a position: when the first event from there on was recorded.
select e.position, e.recorded_at from factline.events e where e.position >= $1 order by e.position limit 1

-- name: count_span
-- $1 after, $2 up to, $3 types. Of a selection that is the whole log.
select e.type, count(*) as count, sum(pg_column_size(e.data))::bigint as bytes
  from factline.events e where e.position > $1 and e.position <= $2 and e.type = any ($3::text[]) group by e.type
