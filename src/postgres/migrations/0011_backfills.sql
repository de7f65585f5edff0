-- Past facts that entered the log from a file.

-- One row per file, by what is in it: how many of its lines are in the log. Moves in the transaction that writes them.
create table factline.backfills (
  id       bigint generated always as identity,
  digest   text not null,
  name     text not null,
  lines    bigint not null,
  done     bigint not null default 0,
  actor    text not null,
  reason   text not null,
  began_at timestamptz not null default factline.clock(),
  ended_at timestamptz,
  constraint backfills_pkey primary key (id),
  constraint backfills_digest unique (digest),
  constraint backfills_done check (done between 0 and lines),
  constraint backfills_ended check ((ended_at is not null) = (done = lines))
);

-- A handler that skips past facts never handled them, so they can't be handled again.
alter table factline.replay_selection
  drop constraint replay_selection_excluded,
  add constraint replay_selection_excluded check (excluded in ('in quarantine', 'parked', 'not handled yet', 'undecodable', 'past fact'));
