-- name: reserve
-- $1 consumer, $2 the stretch in milliseconds, $3 how far ahead it may lie at most. The answer is a delay, not a time: clocks of
-- processes are never compared with the database's.
with clock as materialized (
  select factline.clock() as now
), before as materialized (
  select r.next_at from factline.rate_limits r where r.consumer_id = $1::integer for update
), reserved as (
  insert into factline.rate_limits as r (consumer_id, next_at)
  select $1::integer, clock.now + make_interval(secs => $2::double precision / 1000) from clock
  on conflict (consumer_id) do update
    set next_at = greatest(r.next_at, (select now from clock)) + make_interval(secs => $2::double precision / 1000)
    where greatest(r.next_at, (select now from clock)) <= (select now from clock) + make_interval(secs => $3::double precision / 1000)
  returning r.next_at
)
select exists (select from reserved) as reserved,
  case when exists (select from reserved)
    then extract(epoch from (select next_at from reserved) - clock.now) * 1000 - $2::double precision
    else extract(epoch from coalesce((select next_at from before), clock.now) - clock.now) * 1000 end as delay_ms
from clock
