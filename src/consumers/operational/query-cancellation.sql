-- name: cancel_query
-- $1: the backend of one of our own transactions. Does nothing when it is idle.
select pg_cancel_backend($1::integer)
