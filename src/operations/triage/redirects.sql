-- Redirects of quarantined events to a repair of their handler.

-- name: redirect
-- $1 numbers, $2 the repair or null, $3 who, $4 why. Only what is in quarantine, has failed, and belongs to a handler is redirected;
-- each is answered with its consumer.
with chosen as materialized (
  select p.id, p.consumer_id, p.position, p.key_hash
    from factline.parked p join factline.consumers c on c.id = p.consumer_id
   where p.id = any ($1::bigint[]) and p.replay_id = 0 and p.state = 'quarantined' and c.class = 'operational'
   order by p.id for update of p
), marked as (
  update factline.parked_events e set repair = $2::text
    from chosen x
   where e.consumer_id = x.consumer_id and e.replay_id = 0 and e.position = x.position
  returning x.id, x.consumer_id, e.position
), recorded as (
  insert into factline.quarantine_redirects (consumer_id, parked_id, position, repair, actor, reason)
  select m.consumer_id, m.id, m.position, $2::text, $3, $4 from marked m order by m.id
)
select m.id, m.consumer_id from marked m order by m.id

-- name: released_numbers
-- $1 a release: the numbers of the events that were frozen for it.
select i.parked_id from factline.quarantine_release_items i where i.release_id = $1 order by i.ordinal

-- name: list_redirects
-- $1 the number. The first one first.
select repair, actor, reason, redirected_at from factline.quarantine_redirects where parked_id = $1 order by id
