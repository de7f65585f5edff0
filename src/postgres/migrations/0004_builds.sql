-- Read models rebuilt under traffic: what is known of each build of a projection beside its consumer row.

-- Its stage says more than consumers.state ('building' is fed and not read, for whatever reason); the two are always written
-- together. The stages and who moves them: src/consumers/projection/build-stage.ts. A build that an older release has
-- registered has no row until it enters a stage.
create table factline.builds (
  consumer_id integer not null,
  stage       text not null,
  -- By itself once nothing speaks against it, or only when a person says so.
  switching   text not null default 'automatic',
  -- Into how many lanes its keys were split while it was filled; they are merged into one before it is read.
  shards      integer not null default 1,
  -- Events a second and process at most while it is filled.
  ceiling     integer,
  -- Why it is not read yet, in a sentence.
  obstacle    text,
  -- What the last comparison with the build that is read has found.
  finding     jsonb,
  started_by  text,
  reason      text,
  started_at  timestamptz not null default factline.clock(),
  stage_since timestamptz not null default factline.clock(),
  constraint builds_pkey primary key (consumer_id),
  constraint builds_stage check (stage in ('filling', 'checking', 'ready', 'differs', 'live', 'standby', 'retired')),
  constraint builds_switching check (switching in ('automatic', 'manual')),
  constraint builds_shards check (shards between 1 and 64),
  constraint builds_ceiling check (ceiling > 0)
);

insert into factline.builds (consumer_id, stage)
select k.id, case
    when k.state <> 'building' then k.state
    when exists (select from factline.consumers l where l.name = k.name and l.state = 'live' and l.build > k.build) then 'standby'
    else 'filling' end
  from factline.consumers k where k.class = 'projection';
