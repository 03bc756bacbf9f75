DROP INDEX lake_objects_organization_id_created_at_rows_bytes_idx;
ALTER TABLE dashboards DROP team_id, DROP public;
ALTER TABLE pipelines DROP team_id;
ALTER TABLE organizations DROP delete_at, DROP max_pipelines, DROP max_events_a_month, DROP max_lake_bytes, DROP max_members;
DELETE FROM one_time_tokens WHERE user_id IS NULL;
ALTER TABLE one_time_tokens ALTER user_id SET NOT NULL;
DROP TABLE mails, passkeys, identities, recovery_codes, second_factors, sessions;
