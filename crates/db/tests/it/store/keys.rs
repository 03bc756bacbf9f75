use dash_db::{
    store::keys::{self, Authenticated},
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION, Micros};

use super::pipeline;

#[tokio::test]
async fn a_key_opens_its_own_pipeline() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await, pipeline(conn, "Two").await);
    let key = keys::insert(conn, DEFAULT_ORGANIZATION, one.id, &[1; 32], "dk_1")
        .await
        .unwrap();
    keys::insert(conn, DEFAULT_ORGANIZATION, two.id, &[2; 32], "dk_2")
        .await
        .unwrap();
    let known = Authenticated {
        key,
        pipeline: one.id,
        organization: DEFAULT_ORGANIZATION,
    };
    assert_eq!(keys::authenticate(conn, &[1; 32]).await.unwrap(), Some(known));
    assert_eq!(keys::authenticate(conn, &[3; 32]).await.unwrap(), None);
    let hints: Vec<_> = keys::list(conn, one.id)
        .await
        .unwrap()
        .into_iter()
        .map(|k| k.hint)
        .collect();
    assert_eq!(hints, ["dk_1"]);
    assert!(
        keys::insert(conn, DEFAULT_ORGANIZATION, two.id, &[1; 32], "dk_3")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_last_use_never_moves_back() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    let key = keys::insert(conn, DEFAULT_ORGANIZATION, of, &[1; 32], "dk_1")
        .await
        .unwrap();
    keys::insert(conn, DEFAULT_ORGANIZATION, of, &[2; 32], "dk_2")
        .await
        .unwrap();
    assert_eq!(keys::touch(conn, &[key], Micros(2_000_001)).await.unwrap(), 1);
    assert_eq!(keys::touch(conn, &[key], Micros(1_000_000)).await.unwrap(), 0);
    let used: Vec<_> = keys::list(conn, of)
        .await
        .unwrap()
        .into_iter()
        .map(|k| k.last_used_at)
        .collect();
    assert_eq!(used, [Some(Micros(2_000_001)), None]);
}
