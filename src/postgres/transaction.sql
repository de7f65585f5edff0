-- name: nothing_last
-- The last statement of a transaction that publishes nothing: its id, should COMMIT's answer be lost.
select pg_current_xact_id_if_assigned()::text;
