-- What a shadow run found: events at which the code at hand came to something else than what is recorded. Names of fields, no values.
create table factline.replay_differences (
  replay_id     bigint not null,
  freeze_number integer not null,
  position      bigint not null,
  event_id      uuid not null,
  type          text not null,
  findings      jsonb not null,
  constraint replay_differences_pkey primary key (replay_id, freeze_number, position)
);
