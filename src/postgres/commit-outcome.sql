-- Asked after a COMMIT whose answer was lost (ENGINE.md §2), on another connection.

-- name: status
-- 'in progress', 'committed', 'aborted', or null when the transaction is too old to be known. A standby may not have come so far.
select case when pg_is_in_recovery() then 'in progress' else pg_xact_status($1::text::xid8) end as status;

-- name: terminate
-- Ends the old backend, so that its transaction has an outcome.
select pg_terminate_backend($1::integer) as terminated;

-- name: alive
select exists (select from pg_stat_activity where pid = $1::integer) as alive;
