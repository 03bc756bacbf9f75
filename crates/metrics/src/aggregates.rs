//! The columns of a rollup, in SQL. Both modes use the same text, so they agree to the last tie.

/// Aggregates over points `m` of `metrics`, in the order of [`COLUMNS`].
///
/// `first` and `last` take the greater event when two points of a series have the same time. They are the last element of an
/// array that sorts by time and event, which needs no sort; the event goes in as two halves that a double holds exactly.
pub const OF_POINTS: &str = "count(*) AS n, sum(m.value) AS sum, min(m.value) AS min, max(m.value) AS max,
    (min(ARRAY[date_part('epoch', m.time AT TIME ZONE 'UTC'),
        -(m.event >> 32)::float8, -(m.event & 4294967295)::float8, m.value]))[4] AS first,
    (max(ARRAY[date_part('epoch', m.time AT TIME ZONE 'UTC'),
        (m.event >> 32)::float8, (m.event & 4294967295)::float8, m.value]))[4] AS last,
    min(m.time) AS first_at, max(m.time) AS last_at";

/// The same over rows `m` of a finer rollup. Buckets of a series share no time, so time alone decides.
pub const OF_ROLLUPS: &str = "sum(m.n)::bigint AS n, sum(m.sum) AS sum, min(m.min) AS min, max(m.max) AS max,
    (min(ARRAY[date_part('epoch', m.first_at AT TIME ZONE 'UTC'), m.first]))[2] AS first,
    (max(ARRAY[date_part('epoch', m.last_at AT TIME ZONE 'UTC'), m.last]))[2] AS last,
    min(m.first_at) AS first_at, max(m.last_at) AS last_at";

/// Columns of every rollup after `bucket` and `series_id`.
pub const COLUMNS: [&str; 8] = ["n", "sum", "min", "max", "first", "last", "first_at", "last_at"];
