-- Reading one's own writes.

-- name: builds_to_read
-- $1 name and former names: the build that is read, with its table; it may stand under an earlier name, or have got a later one.
select k.id, t.relation from factline.consumers k,
  lateral (select format('%s__b%s', n.name, k.build) as relation, n.rank
    from unnest(array_prepend(k.name, k.former_names)) with ordinality as n (name, rank)) t
where (k.name = any ($1::text[]) or k.former_names && $1::text[]) and k.class = 'projection' and k.state = 'live'
  and to_regclass(format('factline.%I', t.relation)) is not null
order by t.rank limit 1

-- name: last_position_of_types
-- $1 positions, $2 types: the last of these events that has one of these types. Served by events_pkey.
select max(position) as last from factline.events where position = any ($1::bigint[]) and type = any ($2::text[])
