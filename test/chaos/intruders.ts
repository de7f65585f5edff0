/** The sessions of a worker have this name. */
export const sessionNameOf = (pid: number): string => `worker ${pid}`;

/**
 * Notes whoever records something of an instance whose lane is not his, at the moment when he does. What is recorded twice is refused
 * in other ways as well, so in the end nothing would show it.
 */
export const intruders = `
  create table public.intruders (writer text not null, owner text, instance bigint not null, call text not null);
  create function public.note_intruder() returns trigger language plpgsql as $$
  declare
    owner text;
  begin
    select 'worker ' || p.pid into owner
      from factline.workflow_instances i
      join factline.lanes l on l.consumer_id = i.consumer_id
       and l.lane = (i.key_hash::bigint & 4294967295) % (select count(*) from factline.lanes n where n.consumer_id = i.consumer_id)
      left join factline.processes p on p.id = l.owner
     where i.id = new.instance_id;
    if owner is distinct from current_setting('application_name') then
      insert into public.intruders values (current_setting('application_name'), owner, new.instance_id, new.name);
    end if;
    return null;
  end $$;
  create trigger note_intruder after insert or update on factline.workflow_journal for each row execute function public.note_intruder()`;
