-- name: list_discards
-- $1 consumer or null, $2 rows. The latest first, without those that were restored.
select d.parked_id as id, c.name as consumer, d.position, d.keys, d.followers, d.actor, d.reason, d.discarded_at, d.restore_until,
       d.restore_until > factline.clock() as restorable, d.record ->> 'event_type' as type, d.record ->> 'error_message' as error_message
  from factline.quarantine_discards d join factline.consumers c on c.id = d.consumer_id
 where d.restored_at is null and ($1::text is null or c.name = $1)
 order by d.discarded_at desc, d.parked_id desc
 limit $2

-- name: discarded_consumer
-- $1 the number.
select c.id, c.name from factline.quarantine_discards d join factline.consumers c on c.id = d.consumer_id where d.parked_id = $1
