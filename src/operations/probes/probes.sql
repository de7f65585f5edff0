-- Probes: an event a while that goes the whole way, from the app's transaction through log, tail and lane to a commit.

-- name: switch_on
-- $1 the app. What was before is forgotten: nobody was looking.
insert into factline.probes (app, sent_at, seen_at) values ($1, factline.clock() - interval '1 hour', factline.clock())
on conflict (app) do update set seen_at = excluded.seen_at where factline.probes.seen_at < excluded.seen_at - interval '1 minute'

-- name: switch_off
-- $1 the app.
delete from factline.probes where app = $1

-- name: claim_probe
-- $1 the app, $2 milliseconds between two. A row: this process sends it.
update factline.probes set sent_at = factline.clock()
 where app = $1 and (sent_at <= factline.clock() - make_interval(secs => $2::double precision / 1000) or sent_at > factline.clock() + interval '5 seconds')
returning app

-- name: probe_seen
-- $1 the app, $2 when the event was recorded. In the transaction of the handler.
update factline.probes
   set seen_at = factline.clock(), took_ms = greatest(0, extract(epoch from factline.clock() - $2::timestamptz) * 1000)
 where app = $1
