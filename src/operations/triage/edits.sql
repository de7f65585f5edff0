-- Edits of quarantined events. The log is never changed: the edited payload stands in parked_events until the event is handled.

-- name: lock_parked
-- $1 the number. The row stays in quarantine until the edit has committed.
select p.consumer_id, p.position, p.key, p.state, c.app, c.name as consumer, coalesce(f.event_type, e.type) as type,
       e.key as event_key, coalesce(f.edited, e.data, f.envelope -> 'data') as data
  from factline.parked p
  join factline.consumers c on c.id = p.consumer_id
  left join factline.parked_events f on f.consumer_id = p.consumer_id and f.replay_id = p.replay_id and f.position = p.position
  left join factline.events e on e.position = p.position
 where p.id = $1 and p.replay_id = 0
   for update of p

-- name: edit
-- $1 consumer, $2 position, $3 the payload, $4 the number, $5 the patch, $6 what it changes, $7 who, $8 why.
with edited as (
  update factline.parked_events set edited = $3::text::jsonb
   where consumer_id = $1 and replay_id = 0 and position = $2
  returning 1
)
insert into factline.quarantine_edits (consumer_id, parked_id, position, patch, changes, actor, reason)
select $1, $4, $2, $5::text::jsonb, $6::text::jsonb, $7, $8 from edited returning id

-- name: list_edits
-- $1 the number. The first one first.
select id, patch, changes, actor, reason, edited_at from factline.quarantine_edits where parked_id = $1 order by id
