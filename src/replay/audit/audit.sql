-- The record of every act, chained by hashes. Rows are only ever added; audit_head is the end of the chain.

-- name: lock_head
-- Held to the end of the transaction: two acts are never chained to the same row. The time is text, so that every session
-- hashes the same characters.
select h.number, h.hash, to_char(factline.clock() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
  from factline.audit_head h for update

-- name: append
-- $1 number, $2 at, $3 actor, $4 account, $5 via, $6 act, $7 decision, $8 target, $9 reason, $10 details, $11 hash before, $12 hash.
with added as (
  insert into factline.audit (number, at, actor, account, via, act, decision, target, reason, details, previous_hash, hash)
  values ($1, $2::timestamptz, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12)
)
update factline.audit_head set number = $1, hash = $12

-- name: state
-- One snapshot: the head, and the last row that is there.
select h.number, h.hash, coalesce((select max(a.number) from factline.audit a), 0) as last from factline.audit_head h

-- name: rows_after
-- $1 after, $2 rows.
select a.number, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, a.actor, a.account, a.via, a.act,
       a.decision, a.target, a.reason, a.details, a.previous_hash, a.hash
  from factline.audit a where a.number > $1 order by a.number limit $2

-- name: list
-- $1 act or its beginning up to the dot, $2 target, $3 actor, $4 only denials, $5 before this number, $6 rows; null: any. Latest first.
select a.number, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, a.actor, a.account, a.via, a.act,
       a.decision, a.target, a.reason, a.details, a.previous_hash, a.hash
  from factline.audit a
 where ($1::text is null or a.act = $1 or split_part(a.act, '.', 1) = $1) and ($2::text is null or a.target = $2)
   and ($3::text is null or a.actor = $3) and (not $4::boolean or a.decision = 'denied') and a.number < $5
 order by a.number desc limit $6
