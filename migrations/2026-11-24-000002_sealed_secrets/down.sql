ALTER TABLE signing_secrets DROP COLUMN sealed;
