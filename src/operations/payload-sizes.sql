-- How large payloads are, for lint.

-- name: payload_sizes
-- $1 types, $2 events that are looked at: the newest, walked backwards over events_pkey. Bytes of the JSON text, in 95 of 100.
select e.type, percentile_disc(0.95) within group (order by octet_length(e.data::text))::int as bytes
  from (select n.type, n.data from factline.events n order by n.position desc limit $2) e
 where e.type = any ($1::text[])
 group by e.type
