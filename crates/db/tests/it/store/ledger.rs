//! The ledger and the quarantine are written by SQL here, as `dash-metrics` writes them.

use dash_db::{
    store::{
        lake_objects::{self, Intent},
        ledger::{self, CoveredRange, Totals},
        quarantine, range_of_node,
    },
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION, EventSeq, Micros, mapping::FieldReason, pipeline::Pipeline};

use super::pipeline;

async fn run(db: &TestDatabase, sql: String) {
    db.client().await.unwrap().batch_execute(&sql).await.unwrap();
}

async fn write(db: &TestDatabase, of: &Pipeline, first: i64, last: i64) {
    let (version, organization, pipeline) = (of.active_version.id.0, of.organization, of.id);
    run(db, format!("INSERT INTO ledger VALUES ({version}, {first}, {last}, '{organization}', '{pipeline}', 1, 2, 0, 1, 1, 0, 1)")).await;
}

/// A second version, which does not become the active one.
async fn shadow(db: &TestDatabase, of: &Pipeline) -> i64 {
    let sql = "INSERT INTO mapping_versions (organization_id, pipeline_id, number, mapping)
               SELECT organization_id, pipeline_id, 2, mapping FROM mapping_versions WHERE pipeline_id = $1 RETURNING id";
    db.client()
        .await
        .unwrap()
        .query_one(sql, &[&of.id.0])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn totals_are_those_of_the_active_version() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await;
    assert_eq!(ledger::totals(conn, of.id).await.unwrap(), Totals::default());
    let shadow = shadow(&db, &of).await;
    for (version, events) in [(of.active_version.id.0, 10), (shadow, 99)] {
        let (organization, pipeline) = (of.organization, of.id);
        run(&db, format!("INSERT INTO totals VALUES ({version}, '{organization}', '{pipeline}', 2, {events}, 1, 7, 2, 1, 14, '1970-01-01 00:00:01.000002Z')")).await;
    }
    let expected = Totals {
        batches: 2,
        events: 10,
        rejected: 1,
        mapped: 7,
        filtered: 2,
        quarantined: 1,
        points: 14,
        last_event_at: Some(Micros(1_000_002)),
    };
    assert_eq!(ledger::totals(conn, of.id).await.unwrap(), expected);
}

#[tokio::test]
async fn the_highest_event_of_a_node_is_that_of_silver_or_bronze() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await;
    let base = EventSeq::first_of_node(2);
    assert_eq!(ledger::max_event(conn, 2).await.unwrap(), None);
    write(&db, &of, base.0, base.0 + 5).await;
    write(&db, &of, EventSeq::first_of_node(3).0, EventSeq::first_of_node(3).0).await;
    assert_eq!(ledger::max_event(conn, 2).await.unwrap(), Some(base.offset(5)));
    let object = Intent {
        organization: DEFAULT_ORGANIZATION,
        pipeline: of.id,
        key: "k".into(),
        first_event: base,
        last_event: base.offset(9),
        rows: 10,
        raw_bytes: 1,
    };
    // An object that was only intended counts too: it may have been put.
    lake_objects::intend(conn, &object).await.unwrap();
    assert_eq!(ledger::max_event(conn, 2).await.unwrap(), Some(base.offset(9)));
    assert_eq!(ledger::max_event(conn, 1).await.unwrap(), None);
    let top = range_of_node(255).end().0;
    assert_eq!(top, i64::MAX);
    write(&db, &of, top, top).await;
    assert_eq!(ledger::max_event(conn, 255).await.unwrap(), Some(EventSeq(top)));
}

#[tokio::test]
async fn covered_ranges_are_those_that_touch_the_range() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await, pipeline(conn, "Two").await);
    for (of, first, last) in [(&one, 20, 29), (&one, 0, 9), (&two, 5, 22), (&one, 10, 19)] {
        write(&db, of, first, last).await;
    }
    let covered = ledger::covered(conn, EventSeq(19)..=*range_of_node(0).end())
        .await
        .unwrap();
    let range = |of: &Pipeline, first, last| CoveredRange {
        version: of.active_version.id,
        pipeline: of.id,
        first_event: EventSeq(first),
        last_event: EventSeq(last),
    };
    assert_eq!(covered, [range(&one, 10, 19), range(&one, 20, 29), range(&two, 5, 22)]);
}

#[tokio::test]
async fn quarantine_lists_the_newest_of_the_active_version() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await, pipeline(conn, "Two").await);
    let shadow = shadow(&db, &one).await;
    for (of, version, event) in [
        (&one, one.active_version.id.0, 1),
        (&one, one.active_version.id.0, 3),
        (&one, one.active_version.id.0, 2),
        (&one, shadow, 4),
        (&two, two.active_version.id.0, 5),
    ] {
        let (organization, pipeline) = (of.organization, of.id);
        run(&db, format!(
            r#"INSERT INTO quarantine VALUES ({version}, {event}, '{organization}', '{pipeline}', '1970-01-01 00:00:00.00000{event}Z', '\xff00', '[{{"field":"v","reason":"no number"}}]')"#
        )).await;
    }
    let listed = quarantine::list(conn, one.id, 2).await.unwrap();
    assert_eq!(listed.iter().map(|q| q.event.0).collect::<Vec<_>>(), [3, 2]);
    let reason = FieldReason {
        field: "v".into(),
        reason: "no number".into(),
    };
    assert_eq!(
        (listed[0].received_at, listed[0].raw.as_ref()),
        (Micros(3), [0xff, 0].as_slice())
    );
    assert_eq!(listed[0].reasons, [reason]);
}
