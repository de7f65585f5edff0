create schema if not exists analytics;

-- Each file's committed length, written in the transaction that handles the event: readers stop there, whatever lies
-- beyond was never committed.
create table if not exists analytics.segments (
  segment bigint generated always as identity,
  path text not null,
  committed_bytes bigint not null default 0,
  events bigint not null default 0,
  constraint segments_pkey primary key (segment),
  constraint segments_one_row_per_file unique (path),
  constraint segments_length_not_negative check (committed_bytes >= 0)
);
