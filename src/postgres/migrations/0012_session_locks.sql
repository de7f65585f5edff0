-- Whose session lock says whether it lives.

-- One row per process that has taken its session lock, with the server's start at that moment. Unlogged: a crash of the server ends
-- every session and empties this table with them, and a restart, a failover or a copy has another start. So for those that stand
-- here a lock that is gone proves their end, and who is missing after a restart has not come back yet.
create unlogged table factline.session_locks (
  process_id        bigint not null,
  server_started_at timestamptz not null,
  constraint session_locks_pkey primary key (process_id),
  constraint session_locks_process foreign key (process_id) references factline.processes (id) on delete cascade
);
