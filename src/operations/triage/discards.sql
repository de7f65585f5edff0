-- name: list_discards
-- $1 consumer or null, $2 rows. The latest first, without those that were restored.
select d.parked_id as id, c.name as consumer, d.position, d.keys, d.followers, d.actor, d.reason, d.discarded_at, d.restore_until,
       d.restore_until > factline.clock() as restorable, d.record ->> 'event_type' as type,
       (select min(s.value) from unnest(t.key) k, jsonb_each_text(t.sensitivity) s where s.key = k or starts_with(k, s.key || '.')) as key_level, d.record ->> 'error_message' as error_message
  from factline.quarantine_discards d join factline.consumers c on c.id = d.consumer_id
  left join factline.contract_terms t on t.app = c.app and t.type = d.record ->> 'event_type'
 where d.restored_at is null and ($1::text is null or c.name = $1)
 order by d.discarded_at desc, d.parked_id desc
 limit $2

-- name: discarded_consumer
-- $1 the number.
select c.id, c.name from factline.quarantine_discards d join factline.consumers c on c.id = d.consumer_id where d.parked_id = $1
