-- Secrets are encrypted by the server (crates/vault). Those from before are in clear until the next start seals them.
ALTER TABLE signing_secrets ADD COLUMN sealed boolean NOT NULL DEFAULT false;
ALTER TABLE signing_secrets ALTER COLUMN sealed DROP DEFAULT;
