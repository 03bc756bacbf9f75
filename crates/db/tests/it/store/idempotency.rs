use dash_db::{
    store::idempotency::{self, Answered},
    test_support::TestDatabase,
};
use dash_model::{
    DEFAULT_ORGANIZATION, EventSeq, Micros, PipelineId,
    receipt::{Receipt, Rejection},
};

use super::pipeline;

fn answered(pipeline: PipelineId, key: String, body: u8, at: i64) -> Answered {
    Answered {
        organization: DEFAULT_ORGANIZATION,
        pipeline,
        key,
        body_hash: [body; 32],
        receipt: Receipt {
            batch: EventSeq(i64::MAX - i64::from(body)),
            accepted: 2,
            rejected: vec![Rejection {
                index: 1,
                reason: "no JSON".into(),
            }],
            rejected_total: 1,
        },
        at: Micros(at),
    }
}

#[tokio::test]
async fn the_first_answer_stays() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await.id, pipeline(conn, "Two").await.id);
    let first = answered(one, "k".into(), 1, 1);
    let again = answered(one, "k".into(), 2, 2);
    let other = answered(two, "k".into(), 3, 3);
    let added = idempotency::insert_many(conn, &[first.clone(), again.clone(), other.clone()])
        .await
        .unwrap();
    assert_eq!(added, 2);
    assert_eq!(idempotency::insert_many(conn, &[again]).await.unwrap(), 0);
    assert_eq!(
        idempotency::find(conn, one, "k").await.unwrap(),
        Some((first.body_hash, first.receipt))
    );
    assert_eq!(
        idempotency::find(conn, two, "k").await.unwrap(),
        Some((other.body_hash, other.receipt))
    );
    assert_eq!(idempotency::find(conn, two, "l").await.unwrap(), None);
}

#[tokio::test]
async fn answers_of_any_number_are_added_and_old_ones_forgotten() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    let many: Vec<_> = (0..12_345).map(|i| answered(of, format!("key {i}"), 1, i)).collect();
    assert_eq!(idempotency::insert_many(conn, &[]).await.unwrap(), 0);
    assert_eq!(idempotency::insert_many(conn, &many).await.unwrap(), many.len());
    assert_eq!(idempotency::prune(conn, Micros(12_000)).await.unwrap(), 12_000);
    assert!(idempotency::find(conn, of, "key 11999").await.unwrap().is_none());
    assert!(idempotency::find(conn, of, "key 12000").await.unwrap().is_some());
}
