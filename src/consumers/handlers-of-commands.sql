-- A command has one handler, over all apps of a database.

-- name: other_handlers
-- $1 types, $2 the names of those who ask, earlier ones included. What was declared last counts: a handler that has given a
-- type up only finishes what lies before its barrier. A table of at most hundreds of rows.
select t.type, c.name as consumer, c.app
  from factline.consumers c
  join lateral (select g.types from factline.consumer_generations g
                 where g.consumer_id = c.id order by g.generation desc limit 1) latest on true
  join unnest($1::text[]) as t (type) on t.type = any (latest.types)
 where c.state <> 'retired' and not (c.name = any ($2::text[])) and not (c.former_names && $2::text[])
 order by c.id, t.type
 limit 1
