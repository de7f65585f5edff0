-- Alerts: the states and what follows from what stand in alert-state.ts, who is told when in due-messages.ts.

-- part: tellable
-- $1 the app, $2 receivers. The alerts that are their business: those that fire, and those that ended since a receiver is there, until it
-- was told.
  from factline.alert_receivers r
  join factline.alerts a on a.app = r.app
   and (a.state = 'firing' or (a.state = 'resolved' and a.resolved_at > factline.clock() - interval '30 days' and a.fired_at >= r.added_at))
  left join factline.alert_told t on t.alert_id = a.id and t.receiver = r.name
 where r.app = $1 and r.name = any ($2::text[]) and (a.state = 'firing' or t.state is distinct from 'resolved')

-- name: claim_turn
-- $1 the app, $2 receivers, $3 milliseconds between two evaluations, less a little. A row: it is this process's turn. A clock that was put
-- back does not stop the turns. `busy`: there are alerts or findings to carry on, somebody has not been told that one is over, or a receiver
-- has to be noted; else a turn that observes nothing wrong ends with this statement. `paused`: a consumer or a part of one is.
with turn as (
  insert into factline.alert_evaluations as e (app, evaluated_at) values ($1, factline.clock())
  on conflict (app) do update set evaluated_at = excluded.evaluated_at
   where e.evaluated_at <= excluded.evaluated_at - make_interval(secs => $3::double precision / 1000)
      or e.evaluated_at > excluded.evaluated_at + interval '5 seconds'
  returning app
)
select exists (select from factline.alerts a where a.app = $1 and a.state <> 'resolved')
         or exists (select from factline.quarantine_groups g join factline.consumers c on c.id = g.consumer_id
                     where c.app = $1
                       and (g.growing or g.escalation > 0
                            or g.id in (select q.group_id from factline.quarantine_alerts q where q.alert_id is null)))
         or (select count(*) from factline.alert_receivers r
              where r.app = $1 and r.name = any ($2::text[]) and r.used_at > factline.clock() - interval '1 minute') < cardinality($2::text[])
         or exists (select
-- include: tellable
         ) as busy,
       exists (select from factline.consumers c where c.app = $1 and c.state <> 'retired' and c.paused_at is not null)
         or exists (select from factline.pauses p join factline.consumers c on c.id = p.consumer_id where c.app = $1) as paused
  from turn

-- name: lock_app
-- $1 the app. An evaluation that took longer than its turn and the next one come one after the other.
select pg_advisory_xact_lock(hashtext('factline.alerts'), hashtext($1)) is null as locked

-- name: open_alerts
-- $1 the app.
select id, dedup_key, class, consumer, state, level,
       extract(epoch from factline.clock() - met_at) * 1000 as met_ms,
       extract(epoch from factline.clock() - clear_since) * 1000 as clear_ms
  from factline.alerts where app = $1 and state <> 'resolved' order by id

-- name: quarantine_findings
-- $1 the app. Groups that grow or wait too long, and those of which the detector has found something that no alert carries yet.
with found as materialized (
  select a.id, a.group_id, a.kind, a.level
    from factline.quarantine_alerts a
    join factline.quarantine_groups o on o.id = a.group_id
    join factline.consumers k on k.id = o.consumer_id
   where a.alert_id is null and k.app = $1
   order by a.id limit 1000
)
select g.id, c.name as consumer, g.fingerprint, g.event_type, g.error_code, left(g.error_message, 200) as error_message, g.growing, g.escalation,
       g.watched_keys as keys, g.assigned_to, t.owner,
       coalesce((select json_agg(json_build_object('id', f.id, 'kind', f.kind, 'level', f.level)) from found f where f.group_id = g.id), '[]') as found
  from factline.quarantine_groups g
  join factline.consumers c on c.id = g.consumer_id
  left join factline.contract_terms t on t.app = c.app and t.type = g.event_type
 where c.app = $1 and (g.growing or g.escalation > 0 or g.id in (select group_id from found))
 order by g.id

-- name: apply_steps
-- $1 the app, $2 [{id, key, class, consumer, severity, step, level, summary, facts, met}]. Answers the alerts that began to fire, were raised
-- to a further level, or ended.
with steps as materialized (
  select * from jsonb_to_recordset($2::text::jsonb)
    as s (id bigint, key text, class text, consumer text, severity text, step text, level integer, summary text, facts jsonb, met boolean)
), begun as (
  insert into factline.alerts (app, dedup_key, class, consumer, severity, state, level, summary, facts, fired_at)
  select $1, s.key, s.class, s.consumer, s.severity, case s.step when 'fire' then 'firing' else 'pending' end, s.level, s.summary, s.facts,
         case s.step when 'fire' then factline.clock() end
    from steps s where s.id is null and s.step in ('open', 'fire')
  returning id, dedup_key, class, consumer, severity, state, level, summary
), moved as (
  update factline.alerts a
     set state = case s.step when 'fire' then 'firing' when 'resolve' then 'resolved' else a.state end,
         fired_at = case s.step when 'fire' then factline.clock() else a.fired_at end,
         resolved_at = case s.step when 'resolve' then factline.clock() end,
         clear_since = case when s.met then null when s.step in ('clearing', 'resolve') then coalesce(a.clear_since, factline.clock())
                            else a.clear_since end,
         level = case when s.met then greatest(a.level, s.level) else a.level end,
         severity = case when s.met then s.severity else a.severity end,
         summary = case when s.met then s.summary else a.summary end,
         facts = case when s.met then s.facts else a.facts end
    from steps s
   where a.id = s.id and s.step <> 'forget' and (s.step <> 'stay' or s.met)
  returning a.id, a.dedup_key, a.class, a.consumer, a.severity, a.state, a.level, a.summary, s.step
), forgotten as (
  delete from factline.alerts a using steps s where a.id = s.id and s.step = 'forget'
)
select id, dedup_key, class, consumer, severity, state, level, summary from begun where state = 'firing'
union all
select id, dedup_key, class, consumer, severity, state, level, summary from moved where step in ('fire', 'resolve')

-- name: carry_findings
-- $1 the app, $2 [{key, ids}]: the alerts that carry what the detector of the quarantine found.
update factline.quarantine_alerts q set alert_id = a.id
  from jsonb_to_recordset($2::text::jsonb) as f (key text, ids bigint[])
  join factline.alerts a on a.app = $1 and a.dedup_key = f.key and a.state <> 'resolved'
 where q.id = any (f.ids)

-- name: keep_receivers
-- $1 the app, $2 names, $3 kinds.
insert into factline.alert_receivers as r (app, name, kind)
select $1, n.name, n.kind from unnest($2::text[], $3::text[]) as n (name, kind)
on conflict (app, name) do update set used_at = excluded.used_at, kind = excluded.kind
 where r.used_at < excluded.used_at - interval '1 minute' or r.kind <> excluded.kind

-- name: told_so_far
-- $1 the app, $2 receivers. What each was told of each alert that is its business: those that fire, and those that ended since it is there.
select r.name as receiver, a.id, a.class, a.consumer, a.severity, a.state, a.level, a.dedup_key, a.summary, a.facts, a.met_at, a.fired_at, a.resolved_at,
       extract(epoch from factline.clock() - coalesce(a.resolved_at, a.fired_at)) * 1000 as changed_ms,
       t.state as told_state, t.level as told_level, extract(epoch from factline.clock() - t.told_at) * 1000 as told_ms,
       extract(epoch from factline.clock() - (select max(m.made_at) from factline.alert_messages m
          where m.app = a.app and m.receiver = r.name and m.class = a.class)) * 1000 as message_ms
-- include: tellable
   and not exists (select from factline.alert_messages w
                    where w.app = a.app and w.receiver = r.name and w.class = a.class and w.state = 'waiting')
 order by r.name, a.class, a.id

-- name: make_message
-- $1 the app, $2 the receiver, $3 the class, $4 what it says, $5 [{id, state, level}] what it tells. None while one of its kind waits.
with made as (
  insert into factline.alert_messages (app, receiver, class, body) values ($1, $2, $3, $4::text::jsonb)
  on conflict (app, receiver, class) where state = 'waiting' do nothing
  returning id
)
insert into factline.alert_told (alert_id, receiver, state, level)
select t.id, $2, t.state, t.level
  from made cross join jsonb_to_recordset($5::text::jsonb) as t (id bigint, state text, level integer)
on conflict (alert_id, receiver) do update set state = excluded.state, level = excluded.level, told_at = excluded.told_at

-- name: claim_messages
-- $1 the app, $2 receivers, $3 milliseconds, $4 how many. Whoever takes one has so long to deliver it; then somebody else does. A time that
-- lies too far ahead was set by a clock that was put back.
update factline.alert_messages m
   set attempts = attempts + 1, claimed_until = factline.clock() + make_interval(secs => $3::double precision / 1000)
 where m.id in (
   select w.id from factline.alert_messages w
    where w.app = $1 and w.receiver = any ($2::text[]) and w.state = 'waiting'
      and (w.next_at <= factline.clock() or w.next_at > factline.clock() + interval '10 minutes')
      and (w.claimed_until is null or w.claimed_until <= factline.clock() or w.claimed_until > factline.clock() + interval '10 minutes')
    order by w.id limit $4 for update skip locked)
returning m.id, m.receiver, m.body, m.attempts

-- name: delivered
-- $1 the message.
update factline.alert_messages set state = 'delivered', delivered_at = factline.clock(), claimed_until = null, last_error = null
 where id = $1 and state = 'waiting'

-- name: not_delivered
-- $1 the message, $2 why. Tried again after 5 seconds, then twice as long each time, up to five minutes; never given up.
update factline.alert_messages
   set last_error = left($2, 500), claimed_until = null,
       next_at = factline.clock() + make_interval(secs => least(300, 5 * power(2, least(attempts, 10) - 1)))
 where id = $1 and state = 'waiting'

-- name: forget_old
-- What ended long ago.
with gone as (
  delete from factline.alerts where app = $1 and state = 'resolved' and resolved_at < factline.clock() - interval '90 days' returning id
), untold as (
  delete from factline.alert_told t using gone g where t.alert_id = g.id
)
delete from factline.alert_messages where app = $1 and state = 'delivered' and made_at < factline.clock() - interval '90 days'

-- name: list_alerts
-- $1 whether those that have ended come as well, $2 how many.
select a.id, a.app, a.dedup_key, a.class, a.consumer, a.severity, a.state, a.level, a.summary, a.facts, a.met_at, a.fired_at, a.resolved_at,
       extract(epoch from factline.clock() - a.met_at) * 1000 as met_ms,
       coalesce((select json_agg(json_build_object('receiver', t.receiver, 'state', t.state, 'at', t.told_at) order by t.receiver)
                   from factline.alert_told t where t.alert_id = a.id), '[]') as told
  from factline.alerts a
 where $1 or a.state <> 'resolved'
 order by a.state = 'resolved', a.severity, a.id desc
 limit $2

-- name: list_receivers
-- Each with the message that waits for it longest, if any does.
select r.app, r.name, r.kind, r.used_at, w.waiting, w.attempts, w.last_error, w.oldest_ms,
       (select max(m.delivered_at) from factline.alert_messages m
         where m.app = r.app and m.receiver = r.name and m.state = 'delivered') as delivered_at
  from factline.alert_receivers r
 cross join lateral (
   select count(*) as waiting, max(m.attempts) as attempts, (array_agg(m.last_error order by m.id))[1] as last_error,
          extract(epoch from factline.clock() - min(m.made_at)) * 1000 as oldest_ms
     from factline.alert_messages m where m.app = r.app and m.receiver = r.name and m.state = 'waiting') w
 order by r.app, r.name
