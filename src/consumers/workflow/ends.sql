-- name: read_ends
-- How instances stand ($1): who waits for a result in another process than the one that works on it. Served by workflow_instances_pkey.
select i.id, i.state, i.result, i.result is not null as has_result, i.failure, i.stuck from factline.workflow_instances i
 where i.id = any ($1::bigint[])

-- name: find_instance
-- $1 workflow, $2 key: the living one of a key, else the one that began last.
select i.id, i.key, i.consumer_id, i.version from factline.workflow_instances i join factline.consumers w on w.id = i.workflow_id
 where w.name = $1 and i.key = $2
 order by i.ended_at is null and i.state <> 'queued' desc, i.id desc limit 1

-- name: find_number
-- $1 workflow, $2 number.
select i.id, i.key, i.consumer_id, i.version from factline.workflow_instances i join factline.consumers w on w.id = i.workflow_id
 where w.name = $1 and i.id = $2::bigint
