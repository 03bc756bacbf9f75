DROP TABLE dashboards, lake_objects, series, quarantine, totals, ledger, idempotency_keys, signing_secrets, ingest_keys;
ALTER TABLE pipelines DROP COLUMN active_version_id;
DROP TABLE mapping_versions, pipelines, organizations;
