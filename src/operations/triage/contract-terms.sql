-- What the apps say of their events.

-- name: store_terms
-- $1 app, $2 code version, $3 [{type, owner, key, sensitivity, editable}]. Writes only what is new or says something else.
insert into factline.contract_terms as t (app, type, owner, key, sensitivity, editable, code_version)
select $1::text, g.type, g.owner, array(select jsonb_array_elements_text(g.key)), g.sensitivity,
       array(select jsonb_array_elements_text(g.editable)), $2::text
  from jsonb_to_recordset($3::text::jsonb) as g (type text, owner text, key jsonb, sensitivity jsonb, editable jsonb)
 order by g.type
on conflict (app, type) do update
   set owner = excluded.owner, key = excluded.key, sensitivity = excluded.sensitivity, editable = excluded.editable,
       code_version = excluded.code_version, declared_at = excluded.declared_at
 where (t.owner, t.key, t.sensitivity, t.editable) is distinct from
       (excluded.owner, excluded.key, excluded.sensitivity, excluded.editable)

-- name: terms_of_types
-- $1 types. What every app that declares one says of it.
select app, type, owner, key, sensitivity, editable from factline.contract_terms where type = any ($1::text[])

-- name: hiding_keys
-- The contracts whose key is made of a field that they hide.
select distinct t.key, t.sensitivity from factline.contract_terms t
 where exists (select from unnest(t.key) k, jsonb_object_keys(t.sensitivity) s where s = k or starts_with(k, s || '.'))

-- name: read_terms
-- $1 app, $2 type.
select owner, key, sensitivity, editable from factline.contract_terms where app = $1 and type = $2
