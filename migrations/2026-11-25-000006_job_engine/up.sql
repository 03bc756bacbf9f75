-- What workers, their console and their limits need.

-- An attempt is written down when it is over. The one that goes on, and the one that succeeded, stands in the job itself: most jobs succeed at
-- once, and are one row.
DROP TABLE job_attempts;
CREATE TABLE job_attempts (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt integer NOT NULL,
    node text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('retry', 'snooze', 'cancel', 'discard', 'lost')),
    error text,
    PRIMARY KEY (job_id, attempt, began_at)
);

-- What goes wrong, by what is the same about it: numbers, names and addresses in an error are left out of its class.
CREATE TABLE job_failures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid REFERENCES organizations,
    pipeline_id uuid REFERENCES pipelines ON DELETE SET NULL,
    worker text NOT NULL,
    class text NOT NULL,
    -- The newest of them as it was.
    error text NOT NULL,
    attempts bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (organization_id, pipeline_id, worker, class)
);
CREATE INDEX ON job_failures (last_at);
CREATE INDEX ON job_failures (pipeline_id) WHERE pipeline_id IS NOT NULL;

ALTER TABLE jobs
    -- What it is about; who may see that may see the job.
    ADD COLUMN pipeline_id uuid REFERENCES pipelines ON DELETE SET NULL,
    -- Jobs with the same one count together where a queue has a limit for each.
    ADD COLUMN limit_key text,
    -- Jobs that have to be completed before this one may be attempted, and are not yet.
    ADD COLUMN waits_for integer NOT NULL DEFAULT 0 CHECK (waits_for >= 0),
    ADD COLUMN workflow_id uuid,
    -- Why it failed the last time.
    ADD COLUMN failure_id bigint REFERENCES job_failures ON DELETE SET NULL;

DROP INDEX jobs_scheduled_at_idx, jobs_organization_id_id_idx;
CREATE INDEX ON jobs (scheduled_at) WHERE state IN ('scheduled', 'retryable') AND waits_for = 0;
-- Within a limit for each key, keys take turns.
CREATE INDEX ON jobs (queue, limit_key, priority, scheduled_at, id) WHERE state = 'available' AND limit_key IS NOT NULL;
CREATE INDEX ON jobs (queue, limit_key) WHERE state = 'executing';
-- Lists: job_tallies says which workers and states there are.
CREATE INDEX ON jobs (organization_id, worker, state, id);
CREATE INDEX ON jobs (pipeline_id, id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX ON jobs (failure_id, id) WHERE failure_id IS NOT NULL;
CREATE INDEX ON jobs (workflow_id) WHERE workflow_id IS NOT NULL;

CREATE TABLE job_dependencies (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    needs_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (needs_id, job_id),
    CHECK (job_id <> needs_id)
);
CREATE INDEX ON job_dependencies (job_id);

-- One row for each queue that some node works at. What is NULL is as the program has it.
ALTER TABLE job_queues
    ALTER COLUMN paused SET DEFAULT false,
    -- At once on each node, on all nodes, and on all nodes for each limit_key.
    ADD COLUMN local_limit integer CHECK (local_limit > 0),
    ADD COLUMN global_limit integer CHECK (global_limit > 0),
    ADD COLUMN key_limit integer CHECK (key_limit > 0),
    -- Begun within so many seconds, on all nodes.
    ADD COLUMN rate_jobs integer CHECK (rate_jobs > 0),
    ADD COLUMN rate_seconds integer CHECK (rate_seconds > 0),
    -- The theoretical arrival time of the generic cell rate algorithm: until when what was begun uses up the rate.
    ADD COLUMN rate_used_until timestamptz,
    ADD CHECK ((rate_jobs IS NULL) = (rate_seconds IS NULL));

-- What is done again and again.
CREATE TABLE job_crons (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid REFERENCES organizations,
    pipeline_id uuid REFERENCES pipelines ON DELETE CASCADE,
    name text NOT NULL,
    worker text NOT NULL,
    args jsonb NOT NULL,
    -- Five or six fields, and the IANA name of the zone whose clock they are about.
    expression text NOT NULL,
    zone text NOT NULL,
    -- What becomes of ticks at which no node was there: left out, made up for by one job, or each by its own.
    missed text NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    -- By the program; the others are people's.
    declared boolean NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    next_at timestamptz NOT NULL,
    last_at timestamptz,
    last_job_id bigint REFERENCES jobs ON DELETE SET NULL,
    UNIQUE NULLS NOT DISTINCT (organization_id, name)
);
CREATE INDEX ON job_crons (next_at) WHERE NOT paused;
CREATE INDEX ON job_crons (last_job_id);
CREATE INDEX ON job_crons (pipeline_id) WHERE pipeline_id IS NOT NULL;

-- How many jobs are where, without counting them: each statement adds what it changed, and a job adds that up (store::jobs::tally). Nobody
-- waits for anybody, since no row is changed that another adds. Jobs in a state = sum(entered - departed) over all minutes; jobs that came into a
-- state in a minute = sum(entered) of that minute. What is older than two hours stands at -infinity.
CREATE TABLE job_tallies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    minute timestamptz NOT NULL,
    organization_id uuid,
    pipeline_id uuid,
    queue text NOT NULL,
    worker text NOT NULL,
    state text NOT NULL,
    entered bigint NOT NULL,
    departed bigint NOT NULL
);
CREATE INDEX ON job_tallies (organization_id, minute);

CREATE FUNCTION job_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO job_tallies (minute, organization_id, pipeline_id, queue, worker, state, entered, departed)
        SELECT date_trunc('minute', now()), organization_id, pipeline_id, queue, worker, state, count(*), 0
        FROM new_rows GROUP BY organization_id, pipeline_id, queue, worker, state;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO job_tallies (minute, organization_id, pipeline_id, queue, worker, state, entered, departed)
        SELECT date_trunc('minute', now()), organization_id, pipeline_id, queue, worker, state, 0, count(*)
        FROM old_rows GROUP BY organization_id, pipeline_id, queue, worker, state;
    ELSE
        INSERT INTO job_tallies (minute, organization_id, pipeline_id, queue, worker, state, entered, departed)
        SELECT date_trunc('minute', now()), c.organization_id, c.pipeline_id, c.queue, c.worker, c.state, sum(c.entered), sum(c.departed)
        FROM old_rows o JOIN new_rows n USING (id)
        CROSS JOIN LATERAL (VALUES (o.organization_id, o.pipeline_id, o.queue, o.worker, o.state, 0, 1),
                                   (n.organization_id, n.pipeline_id, n.queue, n.worker, n.state, 1, 0))
            AS c (organization_id, pipeline_id, queue, worker, state, entered, departed)
        WHERE (o.state, o.queue, o.worker, o.organization_id, o.pipeline_id)
            IS DISTINCT FROM (n.state, n.queue, n.worker, n.organization_id, n.pipeline_id)
        GROUP BY 2, 3, 4, 5, 6;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_tally_insert AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION job_tally();
CREATE TRIGGER job_tally_delete AFTER DELETE ON jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION job_tally();
CREATE TRIGGER job_tally_update AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION job_tally();
-- Jobs that are there already.
INSERT INTO job_tallies (minute, organization_id, pipeline_id, queue, worker, state, entered, departed)
SELECT '-infinity', organization_id, pipeline_id, queue, worker, state, count(*), 0 FROM jobs GROUP BY organization_id, pipeline_id, queue, worker, state;
