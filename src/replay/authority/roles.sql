-- Who has which roles, as the apps of this database declare it.

-- name: read_roles
select r.app, r.name, r.roles from factline.roles r order by r.app, r.name

-- name: remove_roles
delete from factline.roles where app = $1

-- name: insert_roles
-- $1 app, $2 [{name, roles}]. Processes of one app that start together store the same at once.
insert into factline.roles (app, name, roles)
select $1::text, r.name, array(select jsonb_array_elements_text(r.roles))
  from jsonb_to_recordset($2::text::jsonb) as r (name text, roles jsonb)
on conflict (app, name) do update set roles = excluded.roles
