-- Writing events. Each statement but publish_one takes ONE text parameter, so that every driver can carry it (ENGINE.md §2).

-- name: publish
-- Called as the last statement of app.transaction, and at the call in a foreign transaction. $1: JSON array of events.
-- Positions follow the order of the array. Served by no index; events_pkey is all that is written.
with inserted as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from rows from (json_to_recordset($1::text::json) as (id uuid, type text, source text, key text, key_hash integer,
    data jsonb, meta jsonb, time timestamptz, class text)) with ordinality
    as e (id, type, source, key, key_hash, data, meta, time, class, ordinal)
  order by e.ordinal
  returning position
)
select pg_current_xact_id()::text as transaction_id,
  (select coalesce(string_agg(position::text, ',' order by position), '') from inserted) as positions;

-- name: publish_one
-- As publish, for one event in a transaction of our own, as plain values: about half of its time on the server.
insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
values ($1::uuid, $2, $3, $4, $5::integer, $6::jsonb, $7::jsonb, coalesce($8::timestamptz, factline.clock()), $9)
returning pg_current_xact_id()::text as transaction_id, position::text as positions;

-- name: reserve_ids
-- First statement of a publish with dedupe keys: rows that can wait are inserted first, in sorted order, before any
-- position is taken. $1: JSON array of {source, key, digest}. Returns what is new; the rest are repeats.
with reserved as (
  insert into factline.event_ids (source, key, payload_digest)
  select i.source, i.key, i.digest
  from json_to_recordset($1::text::json) as i (source text, key text, digest text)
  order by i.source, i.key
  on conflict do nothing
  returning source, key
)
select source, key from reserved;

-- name: read_ids
-- In a new snapshot: the repeats' first positions and payloads. $1: JSON array of {source, key}. Served by event_ids_pkey.
select i.source, i.key, i.position::text as position, i.payload_digest
from factline.event_ids i
join json_to_recordset($1::text::json) as w (source text, key text) on i.source = w.source and i.key = w.key;

-- name: publish_with_ids
-- As publish, and notes the positions of new dedupe keys. $1: JSON array of events with id_source and id_key.
with input as materialized (
  select * from rows from (json_to_recordset($1::text::json) as (id uuid, type text, source text, key text,
    key_hash integer, data jsonb, meta jsonb, time timestamptz, class text, id_source text, id_key text)) with ordinality
    as e (id, type, source, key, key_hash, data, meta, time, class, id_source, id_key, ordinal)
), inserted as (
  insert into factline.events (id, type, source, key, key_hash, data, meta, time, class)
  select e.id, e.type, e.source, e.key, e.key_hash, e.data, e.meta, coalesce(e.time, factline.clock()), e.class
  from input e order by e.ordinal
  returning id, position
), noted as (
  update factline.event_ids i set position = n.position
  from inserted n join input e on e.id = n.id
  where e.id_key is not null and i.source = e.id_source and i.key = e.id_key
  returning 1
)
select pg_current_xact_id()::text as transaction_id,
  (select coalesce(string_agg(position::text, ',' order by position), '') from inserted) as positions,
  (select count(*) from noted)::text as noted;

-- name: find_event
-- After a COMMIT whose answer and id were lost: is the event there? $1: highest position known before, $2: its id.
select exists (select from factline.events where position > $1::bigint and id = $2::uuid) as found;

-- name: purge_ids
-- Dedupe keys older than their window. $1: days. Served by event_ids_recorded_at.
delete from factline.event_ids where recorded_at < factline.clock() - make_interval(days => $1::integer);
