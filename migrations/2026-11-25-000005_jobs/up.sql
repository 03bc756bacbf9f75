-- What is done later or again. The states and their names are Oban's.
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Nothing: of the installation itself.
    organization_id uuid REFERENCES organizations,
    -- What it is; dash_jobs::Job::WORKER.
    worker text NOT NULL,
    queue text NOT NULL,
    args jsonb NOT NULL,
    meta jsonb NOT NULL,
    tags text[] NOT NULL,
    -- The lower, the sooner.
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    state text NOT NULL CHECK (state IN ('scheduled', 'available', 'executing', 'retryable', 'completed', 'cancelled', 'discarded')),
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL CHECK (max_attempts > 0),
    -- Of what must not be there twice; SHA-256.
    unique_key bytea CHECK (octet_length(unique_key) = 32),
    inserted_at timestamptz NOT NULL,
    -- From when on it may be attempted.
    scheduled_at timestamptz NOT NULL,
    attempted_at timestamptz,
    -- When it was completed, cancelled or discarded.
    ended_at timestamptz,
    -- Who has it, and until when unless they say so again. The lease is a fencing token: it only rises, and what ends a job names it.
    node text,
    lease bigint,
    lease_until timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- How far it is, for whoever watches.
    done bigint,
    total bigint,
    message text,
    CHECK ((state = 'executing') = (lease IS NOT NULL AND lease_until IS NOT NULL AND node IS NOT NULL)),
    CHECK ((state IN ('completed', 'cancelled', 'discarded')) = (ended_at IS NOT NULL))
);
CREATE SEQUENCE job_leases;
-- For each way in which the table is asked there is an index that has only the rows it is about.
CREATE INDEX ON jobs (queue, priority, scheduled_at, id) WHERE state = 'available';
CREATE INDEX ON jobs (scheduled_at) WHERE state IN ('scheduled', 'retryable');
CREATE INDEX ON jobs (lease_until) WHERE state = 'executing';
CREATE INDEX ON jobs (unique_key, inserted_at) WHERE unique_key IS NOT NULL;
CREATE INDEX ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ON jobs (organization_id, id);

-- Every attempt, also those that failed.
CREATE TABLE job_attempts (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt integer NOT NULL,
    node text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- done, retry, snooze, cancel, discard or lost
    outcome text,
    error text,
    PRIMARY KEY (job_id, attempt, began_at)
);

-- Queues that are not as the program has them.
CREATE TABLE job_queues (
    name text PRIMARY KEY,
    paused boolean NOT NULL
);
