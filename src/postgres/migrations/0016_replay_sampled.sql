-- How many events of a long log are meant is estimated from a sample.

-- Null: they were counted. The policy goes by the most that it may be; a rebuild that may be of more than ten million takes another person.
alter table factline.replays
  add column selected_low bigint,
  add column selected_high bigint,
  add constraint replays_selected_within check (coalesce(selected between selected_low and selected_high, num_nulls(selected_low, selected_high) = 2)),
  drop column approvals_required,
  add column approvals_required integer generated always as (
    case when mode = 'shadow' then 0
         when class = 'projection' then case when coalesce(selected_high, selected, 0) <= 10000000 then 0 else 1 end
         when effects = 'execute' or coalesce(selected, 0) > 1000 then 2
         else 1 end) stored;

-- What policy and approvals rest on does not change any more, estimated or not.
create function factline.guard_replay_estimate() returns trigger language plpgsql as $$
begin
  if new.state not in ('draft', 'estimating', 'estimated')
     and (new.selected_low, new.selected_high) is distinct from (old.selected_low, old.selected_high) then
    raise exception using errcode = 'FL009', message = 'what is asked for or approved does not change';
  end if;
  return new;
end $$;
create trigger replays_estimates_are_guarded before update of selected_low, selected_high on factline.replays
  for each row execute function factline.guard_replay_estimate();
