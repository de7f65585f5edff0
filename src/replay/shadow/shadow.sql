-- Shadow runs: what is recorded of events, and what was found.

-- name: caused_by
-- $1 after, $2 up to, $3 ids: what was published while those events were handled, in order. A bounded part of the log.
select e.id::text as id, e.type, e.key, e.data, e.meta ->> 'causationId' as cause from factline.events e
 where e.position > $1 and e.position <= $2 and e.meta ->> 'causationId' = any ($3::text[])
 order by e.position

-- name: effects_of
-- $1 consumer, $2 ids.
select x.event_id::text as cause, x.name from factline.effects x
 where x.consumer_id = $1 and x.replay_id = 0 and x.event_id = any ($2::uuid[]) and x.state = 'done' order by x.started_at

-- name: note_compared
-- $1 replay, $2 freeze, $3 positions that came to the same, $4 [{position, eventId, type, findings}] of the others, $5 how many of
-- those are kept. In the transaction that moves the cursor.
with equal as (
  update factline.replay_selection s set outcome = 'equal'
   where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.position = any ($3::bigint[])
), found as materialized (
  select * from jsonb_to_recordset($4::text::jsonb) as d (position bigint, "eventId" uuid, type text, findings jsonb)
), differs as (
  update factline.replay_selection s set outcome = 'differs'
    from found d where s.replay_id = $1::bigint and s.freeze_number = $2::integer and s.position = d.position
)
insert into factline.replay_differences (replay_id, freeze_number, position, event_id, type, findings)
select $1::bigint, $2::integer, d.position, d."eventId", d.type, d.findings from found d
 order by d.position
 limit greatest($5::integer - (select count(*)::integer from factline.replay_differences x
                                where x.replay_id = $1::bigint and x.freeze_number = $2::integer), 0)

-- name: compared_counts
-- $1 replay, $2 freeze.
select count(*) filter (where s.outcome = 'equal') as equal, count(*) filter (where s.outcome = 'differs') as differs,
       count(*) filter (where s.excluded is null) as selected
  from factline.replay_selection s where s.replay_id = $1 and s.freeze_number = $2

-- name: differences
-- $1 replay, $2 freeze, $3 rows.
select d.position, d.event_id::text as event_id, d.type, d.findings from factline.replay_differences d
 where d.replay_id = $1 and d.freeze_number = $2 order by d.position limit $3
