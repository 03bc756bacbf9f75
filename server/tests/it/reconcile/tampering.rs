//! What can be changed behind the back of the books, and which checks must see it.

use dash_metrics::Mode;
use dash_model::reconcile::About;

use crate::util::TestApp;

/// A change to the books, how it is taken back, and the checks that must see it, by a quick look and by a deep one.
pub struct Tampering {
    pub what: &'static str,
    pub change: String,
    pub undo: String,
    pub quick: &'static [About],
    pub deep: &'static [About],
}

fn tampering(
    what: &'static str,
    change: &str,
    undo: &str,
    quick: &'static [About],
    deep: &'static [About],
) -> Tampering {
    Tampering {
        what,
        change: change.into(),
        undo: undo.into(),
        quick,
        deep,
    }
}

/// `$v` is the version of `books`, `$p` its id, `$l` the ledger's second row with points, `$1d` and `$1m` where buckets are kept.
pub fn tamperings() -> Vec<Tampering> {
    use About::*;
    vec![
        tampering(
            "a point is deleted",
            "CREATE TABLE kept AS SELECT * FROM metrics WHERE event = $l ORDER BY series_id LIMIT 1;
             DELETE FROM metrics m USING kept k WHERE m.event = k.event AND m.series_id = k.series_id",
            "INSERT INTO metrics SELECT * FROM kept; DROP TABLE kept",
            &[],
            &[Points, Rollups],
        ),
        tampering(
            "a point is there twice",
            "CREATE TABLE kept AS SELECT * FROM metrics WHERE event = $l; INSERT INTO metrics SELECT * FROM kept",
            "DELETE FROM metrics m USING kept k WHERE m.event = k.event; INSERT INTO metrics SELECT * FROM kept; DROP TABLE kept",
            &[],
            &[Points, Rollups],
        ),
        tampering(
            "a row of the ledger counts other points",
            "UPDATE ledger SET points = points + 1 WHERE mapping_version_id = $v AND first_event = $l",
            "UPDATE ledger SET points = points - 1 WHERE mapping_version_id = $v AND first_event = $l",
            &[Totals, Rollups],
            &[Totals, Points, Rollups],
        ),
        tampering(
            "a row of the ledger is deleted",
            "CREATE TABLE kept AS SELECT * FROM ledger WHERE mapping_version_id = $v AND first_event = $l;
             DELETE FROM ledger WHERE mapping_version_id = $v AND first_event = $l",
            "INSERT INTO ledger SELECT * FROM kept; DROP TABLE kept",
            &[Totals, Manifest, Rollups],
            &[Totals, Manifest, Points, Rollups],
        ),
        tampering(
            "a row of the ledger is there twice",
            "CREATE TABLE kept AS SELECT * FROM ledger WHERE mapping_version_id = $v AND first_event = $l;
             UPDATE kept SET first_event = first_event + 1; INSERT INTO ledger SELECT * FROM kept",
            "DELETE FROM ledger l USING kept k WHERE l.mapping_version_id = k.mapping_version_id AND l.first_event = k.first_event; DROP TABLE kept",
            &[Totals, Manifest, Rollups],
            &[Totals, Manifest, Points, Rollups],
        ),
        tampering(
            "what became of events is no sum any more",
            "ALTER TABLE ledger RENAME TO ledger_kept; CREATE TABLE ledger AS SELECT * FROM ledger_kept;
             UPDATE ledger SET mapped = mapped - 1 WHERE mapping_version_id = $v AND first_event = $l;
             UPDATE totals SET mapped = mapped - 1 WHERE mapping_version_id = $v",
            "DROP TABLE ledger; ALTER TABLE ledger_kept RENAME TO ledger; UPDATE totals SET mapped = mapped + 1 WHERE mapping_version_id = $v",
            &[Received],
            &[Received],
        ),
        tampering(
            "a total is changed",
            "UPDATE totals SET rejected = rejected + 1 WHERE mapping_version_id = $v",
            "UPDATE totals SET rejected = rejected - 1 WHERE mapping_version_id = $v",
            &[Totals],
            &[Totals],
        ),
        tampering(
            "the totals are gone",
            "CREATE TABLE kept AS SELECT * FROM totals WHERE mapping_version_id = $v; DELETE FROM totals WHERE mapping_version_id = $v",
            "INSERT INTO totals SELECT * FROM kept; DROP TABLE kept",
            &[Totals],
            &[Totals],
        ),
        tampering(
            "a row in quarantine is deleted",
            "CREATE TABLE kept AS SELECT * FROM quarantine WHERE pipeline_id = $p ORDER BY event LIMIT 1;
             DELETE FROM quarantine q USING kept k WHERE q.event = k.event",
            "INSERT INTO quarantine SELECT * FROM kept; DROP TABLE kept",
            &[Quarantine],
            &[Quarantine],
        ),
        tampering(
            "an object in the middle is not listed",
            "CREATE TABLE kept AS SELECT * FROM lake_objects WHERE pipeline_id = $p ORDER BY first_event OFFSET 1 LIMIT 1;
             DELETE FROM lake_objects o USING kept k WHERE o.key = k.key",
            "INSERT INTO lake_objects OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept",
            &[Manifest, Objects],
            &[Manifest, Objects],
        ),
        tampering(
            "the newest object is not listed, and the spool has let go of its events",
            "CREATE TABLE kept AS SELECT * FROM lake_objects WHERE pipeline_id = $p ORDER BY first_event DESC LIMIT 1;
             DELETE FROM lake_objects o USING kept k WHERE o.key = k.key",
            "INSERT INTO lake_objects OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept",
            &[Manifest, Objects],
            &[Manifest, Objects],
        ),
        tampering(
            "an object is listed with fewer rows",
            "UPDATE lake_objects SET rows = rows - 1 WHERE id = (SELECT min(id) FROM lake_objects WHERE pipeline_id = $p)",
            "UPDATE lake_objects SET rows = rows + 1 WHERE id = (SELECT min(id) FROM lake_objects WHERE pipeline_id = $p)",
            &[Manifest],
            &[Manifest, Objects],
        ),
        tampering(
            "a day counts one more",
            "UPDATE $1d SET n = n + 1 WHERE (series_id, bucket) = (
                SELECT series_id, bucket FROM $1d WHERE series_id IN (SELECT id FROM series WHERE pipeline_id = $p) ORDER BY 1, 2 LIMIT 1)",
            "UPDATE $1d SET n = n - 1 WHERE (series_id, bucket) = (
                SELECT series_id, bucket FROM $1d WHERE series_id IN (SELECT id FROM series WHERE pipeline_id = $p) ORDER BY 1, 2 LIMIT 1)",
            &[Rollups],
            &[Rollups],
        ),
        tampering(
            "the sum of a minute is a little off",
            "CREATE TABLE kept AS SELECT * FROM $1m WHERE series_id IN (SELECT id FROM series WHERE pipeline_id = $p) ORDER BY series_id, bucket LIMIT 1;
             UPDATE $1m r SET sum = r.sum + 0.000001 FROM kept k WHERE r.series_id = k.series_id AND r.bucket = k.bucket",
            "UPDATE $1m r SET sum = k.sum FROM kept k WHERE r.series_id = k.series_id AND r.bucket = k.bucket; DROP TABLE kept",
            &[],
            &[Rollups],
        ),
        tampering(
            "a minute is gone",
            "CREATE TABLE kept AS SELECT * FROM $1m WHERE series_id IN (SELECT id FROM series WHERE pipeline_id = $p) ORDER BY series_id, bucket LIMIT 1;
             DELETE FROM $1m r USING kept k WHERE r.series_id = k.series_id AND r.bucket = k.bucket",
            "INSERT INTO $1m SELECT * FROM kept; DROP TABLE kept",
            &[],
            &[Rollups],
        ),
    ]
}

/// Fills in the names of [`tamperings`].
pub async fn names(app: &TestApp) -> Vec<(&'static str, String)> {
    let client = app.database.db().client().await.unwrap();
    let one = async |sql: &str| -> String { client.query_one(sql, &[]).await.unwrap().get(0) };
    let version = one("SELECT active_version_id::text FROM pipelines WHERE slug = 'books'").await;
    let pipeline = one("SELECT id::text FROM pipelines WHERE slug = 'books'").await;
    let row = one(&format!(
        "SELECT first_event::text FROM ledger WHERE mapping_version_id = {version} AND mapped = events AND points > 0 ORDER BY first_event LIMIT 1"
    ))
    .await;
    let kept = async |view: &str, table: &str| match app.mode {
        Mode::Plain => table.to_owned(),
        Mode::Timescale { .. } => {
            one(&format!(
                "SELECT format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
                FROM timescaledb_information.continuous_aggregates WHERE view_name = '{view}'"
            ))
            .await
        }
    };
    vec![
        ("$1d", kept("metrics_1d", "rollup_1d").await),
        ("$1m", kept("metrics_1m", "rollup_1m").await),
        ("$v", version),
        ("$p", format!("'{pipeline}'")),
        ("$l", row),
    ]
}
