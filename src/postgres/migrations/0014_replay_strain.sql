-- What a replay costs live events.

-- When an owner found that live events take longer beside it: whoever decides about the rate next halves it.
alter table factline.replays add column strained_at timestamptz;
