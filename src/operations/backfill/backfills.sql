-- Past facts from files.

-- name: begin_backfill
-- $1 digest, $2 name, $3 lines, $4 who, $5 why. One row per content, whoever asks how often.
insert into factline.backfills (digest, name, lines, actor, reason) values ($1, $2, $3, $4, $5)
on conflict (digest) do nothing

-- name: find_backfill
select id, lines, done, ended_at from factline.backfills where digest = $1

-- name: advance_backfill
-- $1 the backfill, $2 lines as read, $3 lines now: in the transaction that publishes them. No row: somebody else does it, too.
update factline.backfills
   set done = $3, ended_at = case when $3::bigint = lines then factline.clock() end
 where id = $1 and done = $2 returning id

-- name: readers_of
-- $1 types: live consumers that read them.
select c.name, c.app, c.class, c.types from factline.consumers c where c.state = 'live' and c.types && $1::text[] order by c.name
