use dash_db::{
    AsyncPgConnection,
    store::{
        lake_objects::{self, CommittedRange, Intent, LakeSums},
        range_of_node,
    },
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION, EventSeq, PipelineId};

use super::pipeline;

fn intent(pipeline: PipelineId, first: i64, last: i64) -> Intent {
    Intent {
        organization: DEFAULT_ORGANIZATION,
        pipeline,
        key: format!("{pipeline}/{first}.parquet"),
        first_event: EventSeq(first),
        last_event: EventSeq(last),
        rows: last - first + 1,
        raw_bytes: 100 * (last - first + 1),
    }
}

async fn put(conn: &mut AsyncPgConnection, intent: &Intent, bytes: i64) {
    lake_objects::intend(conn, intent).await.unwrap();
    assert!(lake_objects::commit(conn, &intent.key, bytes).await.unwrap());
}

#[tokio::test]
async fn an_object_is_intended_once_and_committed_once() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    let wanted = intent(of, 10, 19);
    let object = lake_objects::intend(conn, &wanted).await.unwrap();
    assert!(object.intent == wanted && !object.is_committed());
    assert_eq!(
        lake_objects::intended(conn, range_of_node(0)).await.unwrap(),
        std::slice::from_ref(&object)
    );

    // After a crash the same key is intended again, whatever else is said of it.
    let other = Intent {
        rows: 3,
        ..wanted.clone()
    };
    assert_eq!(lake_objects::intend(conn, &other).await.unwrap(), object);

    assert!(lake_objects::commit(conn, &wanted.key, 77).await.unwrap());
    assert!(!lake_objects::commit(conn, &wanted.key, 78).await.unwrap());
    assert!(!lake_objects::commit(conn, "unheard of", 77).await.unwrap());
    assert_eq!(lake_objects::intended(conn, range_of_node(0)).await.unwrap(), []);
    let there = lake_objects::intend(conn, &wanted).await.unwrap();
    assert_eq!(
        (there.id, there.bytes, there.is_committed()),
        (object.id, Some(77), true)
    );
}

#[tokio::test]
async fn a_node_finishes_its_own_intentions_only() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    let (a, b) = (EventSeq::first_of_node(1).0, EventSeq::first_of_node(255).0);
    lake_objects::intend(conn, &intent(of, a, a + 1)).await.unwrap();
    lake_objects::intend(conn, &intent(of, b, b + 1)).await.unwrap();
    for (node, first) in [(0, None), (1, Some(a)), (255, Some(b))] {
        let found = lake_objects::intended(conn, range_of_node(node)).await.unwrap();
        assert_eq!(found.first().map(|o| o.intent.first_event.0), first, "node {node}");
    }
}

#[tokio::test]
async fn ranges_and_lists_are_of_committed_objects_that_touch_the_range() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await.id, pipeline(conn, "Two").await.id);
    for (of, first, last) in [(one, 30, 39), (one, 10, 19), (two, 15, 34)] {
        put(conn, &intent(of, first, last), 5).await;
    }
    lake_objects::intend(conn, &intent(one, 20, 29)).await.unwrap();

    let ranges = lake_objects::committed_ranges(conn, EventSeq(19)..=EventSeq(29))
        .await
        .unwrap();
    let range = |pipeline, first, last| CommittedRange {
        pipeline,
        first_event: EventSeq(first),
        last_event: EventSeq(last),
    };
    assert_eq!(ranges, [range(one, 10, 19), range(two, 15, 34)]);

    let mut firsts = Vec::new();
    for (from, to) in [(0, 9), (19, 30), (20, 29), (39, 100), (40, 100)] {
        let objects = lake_objects::objects(conn, one, EventSeq(from)..=EventSeq(to))
            .await
            .unwrap();
        firsts.push(objects.iter().map(|o| o.intent.first_event.0).collect::<Vec<_>>());
    }
    assert_eq!(firsts, [vec![], vec![10, 30], vec![], vec![30], vec![]]);
}

#[tokio::test]
async fn sums_are_of_what_is_committed() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    assert_eq!(lake_objects::sums(conn, of).await.unwrap(), LakeSums::default());
    put(conn, &intent(of, 0, 9), 70).await;
    put(conn, &intent(of, 10, 14), 50).await;
    lake_objects::intend(conn, &intent(of, 15, 19)).await.unwrap();
    let sums = LakeSums {
        objects: 2,
        rows: 15,
        bytes: 120,
        raw_bytes: 1_500,
    };
    assert_eq!(lake_objects::sums(conn, of).await.unwrap(), sums);
}
