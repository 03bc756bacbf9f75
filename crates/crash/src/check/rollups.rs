//! Rollups against the points they stand for.

use std::time::{Duration, Instant};

use anyhow::bail;
use tokio_postgres::Client;

use crate::audit::{Difference, Findings};

const ROLLUPS: [(&str, &str); 3] = [
    ("metrics_1m", "1 minute"),
    ("metrics_1h", "1 hour"),
    ("metrics_1d", "1 day"),
];

/// Compares all buckets that begin at `from_ms` (a day's start) or later, but for those that hold an hour which is marked as out
/// of date: readers take these from the points. Answers how many buckets were compared.
///
/// # Errors
/// When the database does not answer.
pub async fn rollups(client: &Client, from_ms: i64, found: &mut Findings) -> anyhow::Result<u64> {
    let mut compared = 0;
    for (rollup, width) in ROLLUPS {
        let rows = client
            .query(&sql(rollup, width), &[&(from_ms as f64 / 1_000.0)])
            .await?;
        compared += rows.len() as u64;
        for row in rows.iter().filter(|row| row.get::<_, bool>(2)) {
            let (bucket, series): (String, i64) = (row.get(0), row.get(1));
            let (points, rolled): (String, String) = (row.get(3), row.get(4));
            found.add(Difference::Rollup, || {
                format!("{rollup} of series {series} at {bucket}: points {points}, rollup {rolled}")
            });
        }
    }
    Ok(compared)
}

/// Values are whole numbers below 2^32, so sums are exact in any order and can be compared as they are.
fn sql(rollup: &str, width: &str) -> String {
    format!(
        "WITH points AS (
            SELECT date_bin('{width}', m.time, 'epoch'::timestamptz) AS bucket, m.series_id,
                ROW(count(*), sum(m.value), min(m.value), max(m.value),
                    (array_agg(m.value ORDER BY m.time, m.event DESC))[1],
                    (array_agg(m.value ORDER BY m.time DESC, m.event DESC))[1],
                    min(m.time), max(m.time), 1::bigint) AS made
            FROM metrics m WHERE m.time >= to_timestamp($1) GROUP BY 1, 2
        ), rolled AS (
            -- A bucket that is there twice is as wrong as one that is not.
            SELECT r.bucket, r.series_id,
                ROW(r.n, r.sum, r.min, r.max, r.first, r.last, r.first_at, r.last_at,
                    count(*) OVER (PARTITION BY r.bucket, r.series_id)) AS made
            FROM {rollup} r WHERE r.bucket >= to_timestamp($1)
        )
        SELECT bucket::text, series_id, p.made IS DISTINCT FROM r.made,
            coalesce(p.made::text, 'none'), coalesce(r.made::text, 'none')
        FROM points p FULL JOIN rolled r USING (bucket, series_id)
        WHERE NOT EXISTS (
            SELECT FROM rollup_invalidations i
            WHERE i.hour > bucket - interval '1 hour' AND i.hour < bucket + interval '{width}')"
    )
}

/// Waits until no hour is marked as out of date.
///
/// # Errors
/// When that takes longer than a minute.
pub async fn at_rest(client: &Client) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let sql = "SELECT count(DISTINCT hour) FROM rollup_invalidations";
        let hours: i64 = client.query_one(sql, &[]).await?.get(0);
        if hours == 0 {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(60) {
            bail!("the rollups of {hours} hours were not brought up to date within a minute");
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[cfg(test)]
mod tests {
    use dash_db::test_support::TestDatabase;

    use super::*;

    /// Tables as Silver's, filled by hand: two series, three hours, rollups right.
    const MADE_UP: &str = "
        CREATE TABLE metrics (time timestamptz, series_id bigint, value float8, event bigint);
        CREATE TABLE rollup_invalidations (hour timestamptz);
        INSERT INTO metrics SELECT '2026-01-01Z'::timestamptz + n * interval '25 seconds', n % 2, n * n % 1000, n
        FROM generate_series(1, 400) n;
        INSERT INTO metrics SELECT time, series_id, 5, event + 1000 FROM metrics WHERE event % 50 = 0;";

    fn make(rollup: &str, width: &str) -> String {
        format!(
            "CREATE TABLE {rollup} AS SELECT date_bin('{width}', time, 'epoch'::timestamptz) AS bucket, series_id,
                count(*) AS n, sum(value) AS sum, min(value) AS min, max(value) AS max,
                (array_agg(value ORDER BY time, event DESC))[1] AS first,
                (array_agg(value ORDER BY time DESC, event DESC))[1] AS last,
                min(time) AS first_at, max(time) AS last_at
            FROM metrics GROUP BY 1, 2"
        )
    }

    async fn made_up() -> TestDatabase {
        let database = TestDatabase::empty().await;
        let client = database.client().await.unwrap();
        client.batch_execute(MADE_UP).await.unwrap();
        for (rollup, width) in ROLLUPS {
            client.batch_execute(&make(rollup, width)).await.unwrap();
        }
        drop(client);
        database
    }

    /// What is found after `change`, which is undone again, and how many buckets were compared.
    async fn after(database: &TestDatabase, change: &str) -> (Findings, u64) {
        let client = database.client().await.unwrap();
        client.batch_execute(&format!("BEGIN; {change}")).await.unwrap();
        let mut found = Findings::default();
        let compared = rollups(&client, 0, &mut found).await.unwrap();
        client.batch_execute("ROLLBACK").await.unwrap();
        (found, compared)
    }

    #[tokio::test]
    async fn rollups_that_differ_from_the_points_are_reported_and_others_pass() {
        let database = made_up().await;
        let (found, all) = after(&database, "").await;
        assert!(found.is_empty() && all > 300, "{all}: {found}");

        // A bucket that differs, is missing, is too much.
        for change in [
            "UPDATE metrics_1m SET sum = sum + 1 WHERE (bucket, series_id) = (SELECT bucket, series_id FROM metrics_1m LIMIT 1)",
            "UPDATE metrics_1h SET n = n - 1 WHERE (bucket, series_id) = (SELECT bucket, series_id FROM metrics_1h LIMIT 1)",
            "UPDATE metrics_1d SET last = last + 1 WHERE series_id = 1",
            "UPDATE metrics_1d SET first_at = first_at + interval '1 second' WHERE series_id = 1",
            "DELETE FROM metrics_1d WHERE series_id = 1",
            "INSERT INTO metrics_1d SELECT bucket, 7, n, sum, min, max, first, last, first_at, last_at FROM metrics_1d WHERE series_id = 1",
        ] {
            let (found, _) = after(&database, change).await;
            let one = (vec![Difference::Rollup], 1);
            assert_eq!(
                (found.kinds(), found.count(Difference::Rollup)),
                one,
                "{change}: {found}"
            );
        }
        // One that is there twice.
        let (found, _) = after(&database, "INSERT INTO metrics_1h SELECT * FROM metrics_1h LIMIT 1").await;
        assert_eq!(found.count(Difference::Rollup), 2, "{found}");

        // Hours that are marked are left out, and their day with them; the others are not.
        let wrong = "UPDATE metrics_1m SET n = 0 WHERE bucket >= '2026-01-01 01:00Z' AND bucket < '2026-01-01 02:00Z';
            UPDATE metrics_1h SET n = 0 WHERE bucket = '2026-01-01 01:00Z';
            UPDATE metrics_1d SET n = 0;";
        assert!(!after(&database, wrong).await.0.is_empty());
        let marked = format!("{wrong} INSERT INTO rollup_invalidations VALUES ('2026-01-01 01:00Z')");
        let (found, some) = after(&database, &marked).await;
        assert!(found.is_empty() && some > 100 && some < all, "{some} of {all}: {found}");
    }
}
