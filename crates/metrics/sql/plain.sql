-- Silver on plain PostgreSQL: monthly partitions (made by the writer), rollup tables and views over them.

CREATE TABLE metrics (
    time timestamptz NOT NULL,
    series_id bigint NOT NULL,
    value double precision NOT NULL,
    -- The event the point was made of.
    event bigint NOT NULL
) PARTITION BY RANGE (time);
CREATE INDEX metrics_series_time ON metrics (series_id, time);

CREATE TABLE rollup_1m (
    bucket timestamptz NOT NULL,
    series_id bigint NOT NULL,
    n bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    -- Values of the earliest and the latest point; at the same time that of the later event.
    first double precision NOT NULL,
    last double precision NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (series_id, bucket)
);
CREATE TABLE rollup_1h (LIKE rollup_1m INCLUDING ALL);
CREATE TABLE rollup_1d (LIKE rollup_1m INCLUDING ALL);

-- Each view unites materialised buckets of clean hours with aggregates of the points of the others, so that it always equals
-- the points.
CREATE VIEW metrics_1m AS
SELECT r.bucket, r.series_id, r.n, r.sum, r.min, r.max, r.first, r.last, r.first_at, r.last_at
FROM rollup_1m r
JOIN series s ON s.id = r.series_id
WHERE NOT EXISTS (
    SELECT FROM rollup_invalidations i
    WHERE i.mapping_version_id = s.mapping_version_id
      AND i.hour = date_bin('1 hour', r.bucket, 'epoch'::timestamptz))
UNION ALL
SELECT date_bin('1 minute', m.time, 'epoch'::timestamptz), m.series_id, {aggregates}
FROM (SELECT DISTINCT mapping_version_id, hour FROM rollup_invalidations) d
JOIN series s ON s.mapping_version_id = d.mapping_version_id
JOIN metrics m ON m.series_id = s.id AND m.time >= d.hour AND m.time < d.hour + interval '1 hour'
GROUP BY 1, 2;

CREATE VIEW metrics_1h AS
SELECT r.bucket, r.series_id, r.n, r.sum, r.min, r.max, r.first, r.last, r.first_at, r.last_at
FROM rollup_1h r
JOIN series s ON s.id = r.series_id
WHERE NOT EXISTS (
    SELECT FROM rollup_invalidations i
    WHERE i.mapping_version_id = s.mapping_version_id AND i.hour = r.bucket)
UNION ALL
SELECT d.hour, m.series_id, {aggregates}
FROM (SELECT DISTINCT mapping_version_id, hour FROM rollup_invalidations) d
JOIN series s ON s.mapping_version_id = d.mapping_version_id
JOIN metrics m ON m.series_id = s.id AND m.time >= d.hour AND m.time < d.hour + interval '1 hour'
GROUP BY 1, 2;

CREATE VIEW metrics_1d AS
SELECT r.bucket, r.series_id, r.n, r.sum, r.min, r.max, r.first, r.last, r.first_at, r.last_at
FROM rollup_1d r
JOIN series s ON s.id = r.series_id
WHERE NOT EXISTS (
    SELECT FROM rollup_invalidations i
    WHERE i.mapping_version_id = s.mapping_version_id
      AND i.hour >= r.bucket AND i.hour < r.bucket + interval '24 hours')
UNION ALL
SELECT d.day, m.series_id, {aggregates}
FROM (
    SELECT DISTINCT mapping_version_id, date_bin('1 day', hour, 'epoch'::timestamptz) AS day
    FROM rollup_invalidations) d
JOIN series s ON s.mapping_version_id = d.mapping_version_id
JOIN metrics m ON m.series_id = s.id AND m.time >= d.day AND m.time < d.day + interval '24 hours'
GROUP BY 1, 2;
