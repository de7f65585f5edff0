-- How many events have come since a pause with a limit began.

-- name: read_buffers
-- $1 the app, or null for all, $2 rows of the log that are looked at above what is counted. With more it is a lower bound.
with buffer as (
  select c.id, c.name, 'consumer' as scope, '' as value, c.paused_at, c.paused_by as actor, c.paused_reason as reason,
         c.types, c.buffer_max, c.buffer_resumes, c.buffer_counted, c.buffer_position
    from factline.consumers c
   where c.state <> 'retired' and ($1::text is null or c.app = $1) and c.paused_at is not null and c.buffer_max is not null
  union all
  select c.id, c.name, p.scope, p.value, p.paused_at, p.actor, p.reason,
         c.types, p.buffer_max, p.buffer_resumes, p.buffer_counted, p.buffer_position
    from factline.pauses p join factline.consumers c on c.id = p.consumer_id
   where c.state <> 'retired' and ($1::text is null or c.app = $1) and p.buffer_max is not null
)
select b.id, b.name, b.scope, b.value, b.paused_at::text as paused_at, b.actor, b.reason, b.buffer_max, b.buffer_resumes,
       b.buffer_counted + looked.own as events, looked.rows < $2 as exact
  from buffer b
 cross join lateral (
  select count(*) as rows,
         count(*) filter (where case b.scope when 'type' then e.type = b.value when 'key' then e.key = b.value
                                             else e.type = any (b.types) end) as own
    from (select type, key from factline.events where position > b.buffer_position order by position limit $2) e) looked
 order by b.id, b.scope, b.value

-- name: count_on
-- $1 the app, $2 rows of the log. Counts what lies below the mark of the log, where nothing can come any more.
with settled as materialized (
  select settled from factline.log_mark
), whole as (
  select c.id, looked.own, looked.last
    from factline.consumers c
   cross join lateral (
    select count(*) filter (where e.type = any (c.types)) as own, max(e.position) as last
      from (select position, type from factline.events
             where position > c.buffer_position and position <= (select settled from settled) order by position limit $2) e) looked
   where c.state <> 'retired' and c.app = $1 and c.paused_at is not null and c.buffer_max is not null and looked.last is not null
), part as (
  select p.consumer_id, p.scope, p.value, looked.own, looked.last
    from factline.pauses p
    join factline.consumers c on c.id = p.consumer_id and c.app = $1
   cross join lateral (
    select count(*) filter (where case p.scope when 'type' then e.type = p.value else e.key = p.value end) as own, max(e.position) as last
      from (select position, type, key from factline.events
             where position > p.buffer_position and position <= (select settled from settled) order by position limit $2) e) looked
   where p.buffer_max is not null and looked.last is not null
), counted as (
  update factline.consumers c set buffer_counted = c.buffer_counted + w.own, buffer_position = w.last from whole w
   where c.id = w.id and c.buffer_position < w.last
)
update factline.pauses p set buffer_counted = p.buffer_counted + w.own, buffer_position = w.last from part w
 where p.consumer_id = w.consumer_id and p.scope = w.scope and p.value = w.value and p.buffer_position < w.last
