-- The tenant that every row belongs to.
CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO organizations (id, slug, name) VALUES ('00000000-0000-0000-0000-000000000001', 'default', 'Default');

CREATE TABLE pipelines (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    slug text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    -- dash_model::pipeline::Source
    source jsonb NOT NULL,
    -- The one pointer that readers follow; set in the transaction that makes the pipeline.
    active_version_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, slug)
);

-- Immutable: rows are added and, with their series, dropped, never changed.
CREATE TABLE mapping_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    number integer NOT NULL CHECK (number > 0),
    -- dash_model::mapping::Mapping
    mapping jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, number),
    -- For the pointer of the pipeline.
    UNIQUE (pipeline_id, id)
);
-- A pipeline follows a version of its own.
ALTER TABLE pipelines ADD FOREIGN KEY (id, active_version_id) REFERENCES mapping_versions (pipeline_id, id);

CREATE TABLE ingest_keys (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    -- SHA-256 of the key; the key has 256 random bits, so it needs no slow hash.
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    -- The first characters, by which people tell keys apart.
    hint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX ON ingest_keys (pipeline_id);

-- Secrets that must be known in clear to check a signature.
CREATE TABLE signing_secrets (
    pipeline_id uuid PRIMARY KEY REFERENCES pipelines,
    organization_id uuid NOT NULL REFERENCES organizations,
    secret bytea NOT NULL
);

-- Answers already given, by Idempotency-Key. Younger ones are in the spool.
CREATE TABLE idempotency_keys (
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    key text NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations,
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    -- dash_model::receipt::Receipt
    receipt jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (pipeline_id, key)
);
CREATE INDEX ON idempotency_keys (created_at);

-- Silver's proof of what was done: one row for each run of batches that was written, in the same transaction as its points.
-- Ranges of one mapping version never overlap; an event is done when a range covers it.
CREATE TABLE ledger (
    mapping_version_id bigint NOT NULL REFERENCES mapping_versions,
    first_event bigint NOT NULL,
    last_event bigint NOT NULL CHECK (last_event >= first_event),
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    batches integer NOT NULL,
    events integer NOT NULL,
    rejected integer NOT NULL,
    mapped integer NOT NULL,
    filtered integer NOT NULL,
    quarantined integer NOT NULL,
    points integer NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mapping_version_id, first_event),
    CHECK (events = mapped + filtered + quarantined)
);
CREATE INDEX ON ledger (last_event);

-- Sums over the ledger, kept by the same transaction, so that a page need not add up millions of rows.
CREATE TABLE totals (
    mapping_version_id bigint PRIMARY KEY REFERENCES mapping_versions,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    batches bigint NOT NULL,
    events bigint NOT NULL,
    rejected bigint NOT NULL,
    mapped bigint NOT NULL,
    filtered bigint NOT NULL,
    quarantined bigint NOT NULL,
    points bigint NOT NULL,
    last_event_at timestamptz
);

CREATE TABLE quarantine (
    mapping_version_id bigint NOT NULL REFERENCES mapping_versions,
    event bigint NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    received_at timestamptz NOT NULL,
    -- The record as it came; Bronze has it too.
    raw bytea NOT NULL,
    -- [dash_model::mapping::FieldReason]
    reasons jsonb NOT NULL,
    PRIMARY KEY (mapping_version_id, event)
);
CREATE INDEX ON quarantine (pipeline_id, event DESC);

CREATE TABLE series (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    mapping_version_id bigint NOT NULL REFERENCES mapping_versions,
    metric text NOT NULL,
    tags jsonb NOT NULL,
    -- SHA-256 of the canonical tags: tags may be longer than an index entry.
    tags_hash bytea NOT NULL CHECK (octet_length(tags_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mapping_version_id, metric, tags_hash)
);

-- Bronze's manifest: the only list of objects that readers go by.
CREATE TABLE lake_objects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    key text NOT NULL UNIQUE,
    first_event bigint NOT NULL,
    last_event bigint NOT NULL CHECK (last_event >= first_event),
    rows bigint NOT NULL,
    -- Size of the object and of the records in it as they came; known once it is committed.
    bytes bigint,
    raw_bytes bigint NOT NULL,
    -- Intended before the object is put, so that a crash between put and commit ends in the same key.
    state text NOT NULL CHECK (state IN ('intended', 'committed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz,
    CHECK ((state = 'committed') = (bytes IS NOT NULL AND committed_at IS NOT NULL))
);
CREATE INDEX ON lake_objects (pipeline_id, first_event);
CREATE INDEX ON lake_objects (last_event);
CREATE INDEX ON lake_objects (state) WHERE state = 'intended';

CREATE TABLE dashboards (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    slug text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    -- dash_model::dashboard: range and widgets
    definition jsonb NOT NULL,
    position integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, slug)
);
