-- Hours of a mapping version whose rollups may differ from the points. A writer adds a row for each hour it touches, in the
-- transaction of its points; a rollup pass deletes only rows that its snapshot saw. Append only: a writer must not count on
-- a row that is already there, because a pass may be about to delete it.
CREATE TABLE IF NOT EXISTS rollup_invalidations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping_version_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS rollup_invalidations_hour ON rollup_invalidations (mapping_version_id, hour, id);
-- Held by the one rollup pass that is at work: LOCK TABLE, unlike an advisory lock, is taken before the snapshot.
CREATE TABLE IF NOT EXISTS rollup_pass ();
