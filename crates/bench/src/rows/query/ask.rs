//! The questions, and the same ones in SQL.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use dash_model::query::{Aggregation, MAX_SERIES, MetricQuery, QueryResult, QuerySpec, Shape, TagFilter, TimeRange};

use super::load::Loaded;
use crate::data::device::Random;

/// A line: its tag, and times in milliseconds with values.
pub type Line = (String, Vec<(i64, f64)>);

pub struct Question {
    pub name: &'static str,
    /// What the SQL by hand does.
    pub by_hand_is: &'static str,
    agg: Aggregation,
    /// The tag that makes a line of its own.
    by: &'static str,
    devices: usize,
    seconds: u32,
    shape: Shape,
    /// Rows (tag, time, value), for version, metric, devices, from, to and the width of a bucket in milliseconds.
    sql: &'static str,
}

const HOUR: u32 = 3_600;
const CHART: Shape = Shape::Series { width: 800 };

pub const QUESTIONS: &[Question] = &[
    Question {
        name: "last point of 100 series",
        by_hand_is: "the newest row of each series by its index",
        agg: Aggregation::Last,
        by: "device",
        devices: MAX_SERIES,
        seconds: 24 * HOUR,
        shape: Shape::Total,
        sql: "SELECT s.tags ->> 'device', l.time, l.value
            FROM series s CROSS JOIN LATERAL (
                SELECT m.time, m.value FROM metrics m
                WHERE m.series_id = s.id AND m.time >= $4 AND m.time < $5
                ORDER BY m.time DESC, m.event DESC LIMIT 1) l
            WHERE s.mapping_version_id = $1 AND s.metric = $2 AND s.tags ->> 'device' = ANY($3) AND $6::float8 > 0
            ORDER BY 1",
    },
    Question {
        name: "1 series, 1 h",
        by_hand_is: "its rows in their order",
        agg: Aggregation::Avg,
        by: "device",
        devices: 1,
        seconds: HOUR,
        shape: CHART,
        sql: "SELECT s.tags ->> 'device', m.time, m.value
            FROM series s JOIN metrics m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1 AND s.metric = $2 AND s.tags ->> 'device' = ANY($3)
                AND m.time >= $4 AND m.time < $5 AND $6::float8 >= 0
            ORDER BY 1, m.time, m.event",
    },
    Question {
        name: "100 series, 24 h",
        by_hand_is: "averages by device and bucket",
        agg: Aggregation::Avg,
        by: "device",
        devices: MAX_SERIES,
        seconds: 24 * HOUR,
        shape: CHART,
        sql: "SELECT s.tags ->> 'device', date_bin($6::float8 * interval '1 ms', m.time, 'epoch'::timestamptz), avg(m.value)
            FROM series s JOIN metrics m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1 AND s.metric = $2 AND s.tags ->> 'device' = ANY($3)
                AND m.time >= $4 AND m.time < $5
            GROUP BY 1, 2 ORDER BY 1, 2",
    },
    Question {
        name: "all series by a tag, 7 d",
        by_hand_is: "averages by site and bucket",
        agg: Aggregation::Avg,
        by: "site",
        devices: usize::MAX,
        seconds: 7 * 24 * HOUR,
        shape: CHART,
        sql: "SELECT s.tags ->> 'site', date_bin($6::float8 * interval '1 ms', m.time, 'epoch'::timestamptz), avg(m.value)
            FROM series s JOIN metrics m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1 AND s.metric = $2 AND s.tags ->> 'device' = ANY($3)
                AND m.time >= $4 AND m.time < $5
            GROUP BY 1, 2 ORDER BY 1, 2",
    },
];

impl Question {
    /// As a dashboard asks it.
    pub async fn through_silver(&self, loaded: &Loaded, random: &mut Random) -> anyhow::Result<QueryResult> {
        let devices = self.devices(loaded, random);
        self.silver(loaded, &devices).await
    }

    /// The same, over the raw points.
    pub async fn by_hand(&self, loaded: &Loaded, random: &mut Random) -> anyhow::Result<Vec<Line>> {
        let devices = self.devices(loaded, random);
        let to = loaded.now.millis() + 1;
        // The buckets that Silver chooses for these ranges.
        let bucket = if self.seconds > 24 * HOUR {
            15 * 60_000
        } else {
            2 * 60_000
        };
        self.sql(loaded, &devices, to - i64::from(self.seconds) * 1_000, to, bucket)
            .await
    }

    /// Both must give the same answer, point by point.
    pub async fn verify(&self, loaded: &Loaded, random: &mut Random) -> anyhow::Result<()> {
        let devices = self.devices(loaded, random);
        let own = self.silver(loaded, &devices).await?;
        let bucket = own.resolution.bucket_ms;
        let mut lines = self.sql(loaded, &devices, own.from_ms, own.to_ms, bucket).await?;
        let mut ours: Vec<Line> = own
            .series
            .iter()
            .map(|line| {
                let tag = line.tags.get(self.by).cloned().unwrap_or_default();
                (tag, line.points.iter().map(|p| (p.0, p.1)).collect())
            })
            .collect();
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        ours.sort_by(|a, b| a.0.cmp(&b.0));
        ensure!(
            ours.len() == lines.len(),
            "{}: Silver has {} lines, SQL by hand {}",
            self.name,
            ours.len(),
            lines.len()
        );
        for (own, other) in ours.iter().zip(&lines) {
            let same = own.0 == other.0
                && own.1.len() == other.1.len()
                && own
                    .1
                    .iter()
                    .zip(&other.1)
                    .all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= 1e-9 * b.1.abs().max(1.0));
            ensure!(
                same,
                "{}: the line {} has {} points in Silver and {} by hand ({}), or they differ",
                self.name,
                own.0,
                own.1.len(),
                other.1.len(),
                other.0
            );
        }
        Ok(())
    }

    /// Some devices that stand beside one another; all, where there are no more.
    fn devices(&self, loaded: &Loaded, random: &mut Random) -> Vec<String> {
        let count = self.devices.min(loaded.devices);
        let first = random.below((loaded.devices - count) as u64 + 1) as usize;
        (first..first + count).map(|d| format!("device-{d:04}")).collect()
    }

    async fn silver(&self, loaded: &Loaded, devices: &[String]) -> anyhow::Result<QueryResult> {
        let only = TagFilter {
            tag: "device".into(),
            values: devices.to_vec(),
        };
        let spec = QuerySpec {
            query: MetricQuery {
                pipeline: "bench".into(),
                metric: super::load::METRICS[0].into(),
                agg: self.agg,
                by: vec![self.by.to_owned()],
                // A dashboard that shows all does not name them.
                only: if devices.len() < loaded.devices {
                    vec![only]
                } else {
                    Vec::new()
                },
            },
            range: TimeRange::Last { seconds: self.seconds },
            shape: self.shape,
        };
        let database = &loaded.database;
        let answer = database.silver.query(database.version, None, &spec, loaded.now).await;
        answer.with_context(|| self.name)
    }

    async fn sql(
        &self,
        loaded: &Loaded,
        devices: &[String],
        from: i64,
        to: i64,
        bucket: i64,
    ) -> anyhow::Result<Vec<Line>> {
        let time = |ms| DateTime::<Utc>::from_timestamp_millis(ms).context("a time");
        let client = loaded.database.db.client().await?;
        let statement = client.prepare_cached(self.sql).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &loaded.database.version.0,
                    &super::load::METRICS[0],
                    &devices,
                    &time(from)?,
                    &time(to)?,
                    &(bucket.max(1) as f64),
                ],
            )
            .await?;
        let mut lines: Vec<Line> = Vec::new();
        for row in &rows {
            let point = (row.get::<_, DateTime<Utc>>(1).timestamp_millis(), row.get(2));
            let tag: &str = row.get(0);
            match lines.last_mut() {
                Some(line) if line.0 == tag => line.1.push(point),
                _ => lines.push((tag.to_owned(), vec![point])),
            }
        }
        Ok(lines)
    }
}
