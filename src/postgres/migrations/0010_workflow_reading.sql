-- Workflow instances as people and measurements read them: by state, and by key, newest first, however many there are.

-- Of one version, so that counting its instances reads the index alone. Takes the place of the index of stuck ones.
create index workflow_instances_by_state on factline.workflow_instances (consumer_id, state, id);
drop index factline.workflow_instances_need_a_person;
-- "What became of order A1?" is asked long after its end. Those that live are found by their own indexes.
create index workflow_instances_ended_of_key on factline.workflow_instances (workflow_id, key, id) where ended_at is not null;
