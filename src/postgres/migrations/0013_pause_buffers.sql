-- What a pause may buffer.

-- How many events may come while it lasts (null: nobody said), whether it ends by itself when more do, and how many have come up to a
-- position below which nothing can come any more: so no look goes over the same events twice. Of a pause that is over they mean nothing.
alter table factline.consumers
  add column buffer_max bigint,
  add column buffer_resumes boolean not null default false,
  add column buffer_counted bigint not null default 0,
  add column buffer_position bigint not null default 0,
  add constraint consumers_buffer check (buffer_max > 0);
alter table factline.pauses
  add column buffer_max bigint,
  add column buffer_resumes boolean not null default false,
  add column buffer_counted bigint not null default 0,
  add column buffer_position bigint not null default 0,
  add constraint pauses_buffer check (buffer_max > 0);
