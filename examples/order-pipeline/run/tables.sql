create schema if not exists pipeline;

-- What this database was fed with: `--keep` goes on with the same feed.
create table if not exists pipeline.feed (
  one boolean not null default true,
  input text not null,
  mode text not null,
  invoices_max bigint,              -- how many were wanted; null: all of them
  posted bigint not null default 0, -- how many were posted, in the order of the file
  constraint feed_pkey primary key (one),
  constraint feed_is_one_row check (one)
);
