-- Replays of what waits in quarantine, and in the shadow.

-- blue-green: a projection is rebuilt. redeliver: a handler gets past events again. release: it gets what waits in quarantine, for
-- the first time. shadow: its code is tried on past events, everything is taken back, and what it came to is compared.
alter table factline.replays
  drop constraint replays_mode,
  add constraint replays_mode check (mode in ('blue-green', 'redeliver', 'release', 'shadow') and (class = 'projection') = (mode = 'blue-green')),
  -- Nothing stays of a shadow, so nobody else has to allow it; what is released is governed as what is delivered again.
  drop column approvals_required,
  add column approvals_required integer generated always as (
    case when mode = 'shadow' then 0
         when class = 'projection' then case when coalesce(selected, 0) <= 10000000 then 0 else 1 end
         when effects = 'execute' or coalesce(selected, 0) > 1000 then 2
         else 1 end) stored;

-- Of a release: when an event was asked for, by which request to the owner of its lane, and what its consumer made of it. Of a
-- shadow: the outcome only.
alter table factline.replay_selection
  add column released_at timestamptz,
  add column request_id bigint,
  add column outcome text,
  add constraint replay_selection_outcome check (outcome in ('handled', 'failed', 'discarded', 'equal', 'differs')),
  add constraint replay_selection_released check (request_id is null or released_at is not null);
create index replay_selection_at_work on factline.replay_selection (replay_id, freeze_number, position)
  where released_at is not null and outcome is null;
create index replay_selection_failed on factline.replay_selection (replay_id, freeze_number, position) where outcome = 'failed';
