-- A saga's database is put back into the state that it had before the run, instead of being copied again: a copy makes hundreds
-- of files, this a few statements.

-- name: prepare
-- Remembers every row and sequence of the user's and of Factline's tables. Refused where the role may not switch off foreign keys.
create schema factline_saved;

create view factline_saved.schemas as
select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'factline_saved');

-- What was made, changed or dropped since: then the rows alone do not restore it. `clock()` is replaced when time is advanced.
create function factline_saved.shape() returns text language sql stable as $body$
  select md5(coalesce(string_agg(line, ' ' order by line), '')) from (
    select format('%s %s %s %s %s %s', c.oid, c.relname, c.relkind, c.relnatts, c.relchecks, c.relhastriggers) as line
    from pg_class c join factline_saved.schemas s on s.oid = c.relnamespace
    union all
    select format('%s %s', p.oid, md5(p.prosrc)) from pg_proc p join factline_saved.schemas s on s.oid = p.pronamespace
    where p.oid <> 'factline.clock()'::regprocedure
    union all
    select format('%s %s', oid, nspname) from factline_saved.schemas
  ) lines
$body$;

create table factline_saved.tables (name text primary key, relation oid not null, columns text not null, copy text);
create table factline_saved.sequences (name text primary key, value bigint not null, called boolean not null);
create table factline_saved.facts (shape text not null);

do $body$
declare
  each record;
  filled boolean;
begin
  for each in
    select c.oid, format('%I.%I', s.nspname, c.relname) as name,
      (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
       where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
    from pg_class c join factline_saved.schemas s on s.oid = c.relnamespace
    where c.relkind = 'r'
  loop
    continue when each.columns is null;
    execute format('select exists (select from %s)', each.name) into filled;
    if filled then
      execute format('create table factline_saved.%I as select %s from %s', 'rows_' || each.oid, each.columns, each.name);
    end if;
    insert into factline_saved.tables
    values (each.name, each.oid, each.columns, case when filled then format('factline_saved.%I', 'rows_' || each.oid) end);
  end loop;
  for each in
    select format('%I.%I', s.nspname, c.relname) as name
    from pg_class c join factline_saved.schemas s on s.oid = c.relnamespace where c.relkind = 'S'
  loop
    execute format('insert into factline_saved.sequences select %L, last_value, is_called from %s', each.name, each.name);
  end loop;
  insert into factline_saved.facts select factline_saved.shape();
end
$body$;

create function factline_saved.restore() returns boolean language plpgsql set session_replication_role = replica as $body$
declare
  each record;
begin
  if factline_saved.shape() <> (select shape from factline_saved.facts) then return false; end if;
  -- A file of no length is that of a table nobody has ever written to: most are.
  for each in select * from factline_saved.tables where copy is not null or pg_relation_size(relation) > 0 loop
    execute format('delete from %s', each.name);
    if each.copy is not null then
      execute format('insert into %1$s (%2$s) overriding system value select %2$s from %3$s', each.name, each.columns, each.copy);
    end if;
  end loop;
  perform setval(name::regclass, value, called) from factline_saved.sequences;
  return true;
end
$body$;

-- name: restore
-- False: something was made, changed or dropped since.
select factline_saved.restore() as restored
