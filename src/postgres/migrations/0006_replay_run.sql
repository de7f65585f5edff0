-- What the run of a replay keeps beside its cursor (src/replay/run).

alter table factline.replays
  -- When events were last handed over: whichever process goes on goes on from here, so two together are no faster than one.
  add column paced_at timestamptz,
  -- When a process last looked how live consumers are.
  add column looked_at timestamptz,
  -- Live consumers at their worst meanwhile, as a share of what was promised, and for how long it went slower for their sake.
  add column danger_max double precision not null default 0,
  add column yielded_seconds double precision not null default 0,
  -- Effects begun under the policy execute, never more than the approved maximum.
  add column effects_begun integer not null default 0,
  -- Of the events that its handlers published: those that went into the log, and those that were dropped.
  add column published bigint not null default 0,
  add column suppressed bigint not null default 0,
  -- What had failed when a guard paused it: once a person lets it go on, only what comes on top counts.
  add column failures_seen jsonb not null default '{}',
  add constraint replays_run_counts check (effects_begun >= 0 and published >= 0 and suppressed >= 0 and yielded_seconds >= 0);

-- Asked with every heartbeat.
create index replays_at_work on factline.replays (consumer_id) where state in ('canary', 'running', 'verifying');
