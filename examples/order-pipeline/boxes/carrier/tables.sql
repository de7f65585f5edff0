create schema if not exists carrier;

-- The carrier's own book of parcels. `missed`: the van never came by; such a parcel stays where it is.
create table if not exists carrier.parcels (
  tracking_number text not null,
  order_id text not null,
  state text not null,
  missed boolean not null default false,
  constraint parcels_pkey primary key (tracking_number),
  constraint parcels_state check (state in ('ready', 'collected', 'withdrawn', 'brought back')),
  constraint parcels_missed_is_not_collected check (not (missed and state in ('collected', 'brought back')))
);
