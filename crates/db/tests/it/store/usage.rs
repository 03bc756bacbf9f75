//! What an organization has.

use dash_db::{
    store::{
        organizations::{self, Limits},
        usage::{self, Usage},
    },
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION as OWN, Micros};

use super::{another_organization, pipeline};

#[tokio::test]
async fn usage_is_counted_where_it_is_and_for_each_organization() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let of = pipeline(conn, "One").await.id;
    let sql = "INSERT INTO lake_objects (organization_id, pipeline_id, key, first_event, last_event, rows, bytes, raw_bytes, state, created_at, committed_at)
               VALUES ($1, $2, 'a', 1, 9, 9, 100, 900, 'committed', '2026-10-31', now()), ($1, $2, 'b', 10, 19, 10, 50, 900, 'committed', '2026-11-01', now()),
                      ($1, $2, 'c', 20, 20, 1, NULL, 9, 'intended', '2026-11-02', NULL)";
    db.client().await.unwrap().execute(sql, &[&OWN.0, &of.0]).await.unwrap();
    let november = Micros(1_793_491_200_000_000);
    let expected = Usage {
        pipelines: 1,
        members: 0,
        events: 11,
        lake_bytes: 150,
    };
    assert_eq!(
        usage::of(conn, OWN, november, Micros(november.0 + 1)).await.unwrap(),
        expected
    );
    assert_eq!(
        usage::of(conn, other, november, november).await.unwrap(),
        Usage::default()
    );

    let limits = Limits {
        pipelines: Some(3),
        lake_bytes: Some(1 << 40),
        ..Limits::default()
    };
    organizations::set_limits(conn, OWN, limits).await.unwrap();
    organizations::rename(conn, OWN, "Ours").await.unwrap();
    let read = organizations::get(conn, OWN).await.unwrap().unwrap();
    assert_eq!((read.limits, read.name.as_str()), (limits, "Ours"));
    let made = organizations::create(conn, "new", "New").await.unwrap();
    assert_eq!(made.limits, Limits::default());
    assert!(organizations::create(conn, "new", "Newer").await.is_err());
}
