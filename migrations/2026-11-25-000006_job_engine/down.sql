DROP TRIGGER job_tally_insert ON jobs;
DROP TRIGGER job_tally_delete ON jobs;
DROP TRIGGER job_tally_update ON jobs;
DROP FUNCTION job_tally;
DROP TABLE job_tallies, job_crons, job_dependencies;
ALTER TABLE job_queues
    ALTER COLUMN paused DROP DEFAULT,
    DROP COLUMN local_limit, DROP COLUMN global_limit, DROP COLUMN key_limit,
    DROP COLUMN rate_jobs, DROP COLUMN rate_seconds, DROP COLUMN rate_used_until;
ALTER TABLE jobs
    DROP COLUMN pipeline_id, DROP COLUMN limit_key, DROP COLUMN waits_for, DROP COLUMN workflow_id, DROP COLUMN failure_id;
DROP TABLE job_failures;
CREATE INDEX ON jobs (scheduled_at) WHERE state IN ('scheduled', 'retryable');
CREATE INDEX ON jobs (organization_id, id);
DROP TABLE job_attempts;
CREATE TABLE job_attempts (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt integer NOT NULL,
    node text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text,
    error text,
    PRIMARY KEY (job_id, attempt, began_at)
);
