-- Silver on TimescaleDB: a compressed hypertable and continuous aggregates, each made from the finer one.
-- Buckets without a time zone are UTC's. The aggregates are refreshed by Silver, which knows the hours that changed;
-- a policy beside it would only contend for the same locks.

CREATE TABLE metrics (
    time timestamptz NOT NULL,
    series_id bigint NOT NULL,
    value double precision NOT NULL,
    -- The event the point was made of.
    event bigint NOT NULL
);
SELECT create_hypertable('metrics', by_range('time', interval '7 days'), create_default_indexes => false);
CREATE INDEX metrics_series_time ON metrics (series_id, time);
ALTER TABLE metrics SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'series_id',
    timescaledb.compress_orderby = 'time DESC'
);
SELECT add_compression_policy('metrics', compress_after => interval '7 days');

CREATE MATERIALIZED VIEW metrics_1m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(interval '1 minute', m.time) AS bucket, m.series_id, {aggregates}
FROM metrics m GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW metrics_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(interval '1 hour', m.bucket) AS bucket, m.series_id, {rolled}
FROM metrics_1m m GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW metrics_1d WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(interval '1 day', m.bucket) AS bucket, m.series_id, {rolled}
FROM metrics_1h m GROUP BY 1, 2
WITH NO DATA;
