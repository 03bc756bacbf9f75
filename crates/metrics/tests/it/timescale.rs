//! What only TimescaleDB has: the hypertable, compression, continuous aggregates.

use dash_model::{
    Micros,
    query::{Aggregation, Shape, TimeRange},
};

use crate::{
    model::check,
    queries::{START, ask, fill, spec},
    rollups::views_equal_the_points,
    support::{Random, options, timescale},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_hypertable_is_compressed_and_aggregated() {
    let Some(w) = timescale(options()).await else { return };
    let one = |sql: &'static str| w.count(sql);
    assert_eq!(one("SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name = 'metrics' AND compression_enabled").await, 1);
    assert_eq!(one("SELECT count(*) FROM timescaledb_information.compression_settings WHERE hypertable_name = 'metrics' AND attname = 'series_id' AND segmentby_column_index = 1").await, 1);
    assert_eq!(one("SELECT count(*) FROM timescaledb_information.compression_settings WHERE hypertable_name = 'metrics' AND attname = 'time' AND NOT orderby_asc").await, 1);
    assert_eq!(one("SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'metrics' AND proc_name IN ('policy_compression', 'policy_columnstore')").await, 1);
    assert_eq!(one("SELECT count(*) FROM timescaledb_information.continuous_aggregates WHERE view_name IN ('metrics_1m', 'metrics_1h', 'metrics_1d') AND NOT materialized_only").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_chunks_answer_and_take_late_points() {
    let Some(w) = timescale(options()).await else { return };
    let mut random = Random(9);
    let mut points = fill(&w, &mut random, 1, 3_000, 20).await;
    w.silver.rollup().await.unwrap();
    let chunks = w
        .count("SELECT count(compress_chunk(c)) FROM show_chunks('metrics') c")
        .await;
    assert!(chunks >= 3, "{chunks}");
    assert_eq!(
        w.count(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'metrics' AND is_compressed"
        )
        .await,
        chunks
    );
    ask(&w, &points, &mut random, 60, 20).await;
    points.extend(fill(&w, &mut random, 10_000, 500, 20).await);
    ask(&w, &points, &mut random, 60, 20).await;
    w.silver.rollup().await.unwrap();
    ask(&w, &points, &mut random, 60, 20).await;
    views_equal_the_points(&w, "after late points").await;
}

/// The query has its snapshot, and no plan for the points yet, when their chunk gets its late points compressed.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_compressed_between_snapshot_and_plan_misses_nothing() {
    let Some(w) = timescale(options()).await else { return };
    let mut random = Random(11);
    let mut points = fill(&w, &mut random, 1, 500, 5).await;
    w.silver.rollup().await.unwrap();
    w.count("SELECT count(compress_chunk(c)) FROM show_chunks('metrics') c")
        .await;
    points.extend(fill(&w, &mut random, 10_000, 500, 5).await);

    let barrier = w.db.client().await.unwrap();
    barrier
        .batch_execute("BEGIN; LOCK TABLE rollup_invalidations IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let range = TimeRange::Between {
        from_ms: START / 1_000,
        to_ms: START / 1_000 + 5 * 86_400_000,
    };
    let spec = spec(
        Aggregation::Sum,
        &["device", "site"],
        range,
        Shape::Series { width: 300 },
    );
    let (silver, version, asked) = (w.silver.clone(), w.version, spec.clone());
    let answer = tokio::spawn(async move { silver.query(version, None, &asked, Micros(0)).await });
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'rollup_invalidations'::regclass AND NOT granted";
    while w.count(waits).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    w.count("SELECT count(compress_chunk(c)) FROM show_chunks('metrics') c")
        .await;
    barrier.batch_execute("COMMIT").await.unwrap();
    check(&points, &spec, 0, &answer.await.unwrap().unwrap());
}
