use dash_db::{migrate, revert_all, test_support::TestDatabase};

async fn tables(db: &TestDatabase) -> i64 {
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'
               AND table_name <> '__diesel_schema_migrations'";
    db.client().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_second_migration_finds_nothing_to_do() {
    let db = TestDatabase::empty().await;
    let applied = migrate(db.url()).await.unwrap();
    assert_eq!(applied[0], "20261123000001");
    assert!(tables(&db).await >= 12);
    assert_eq!(migrate(db.url()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_nodes_that_migrate_at_once_one_does_the_work() {
    let db = TestDatabase::empty().await;
    let nodes = futures::future::join_all((0..8).map(|_| migrate(db.url()))).await;
    let applied: Vec<_> = nodes
        .into_iter()
        .map(|n| n.unwrap())
        .filter(|a| !a.is_empty())
        .collect();
    assert_eq!(applied.len(), 1);
}

#[tokio::test]
async fn migrations_go_down_and_up_again() {
    let db = TestDatabase::new().await;
    let before = tables(&db).await;
    let reverted = revert_all(db.url()).await.unwrap();
    assert_eq!(tables(&db).await, 0);
    let applied = migrate(db.url()).await.unwrap();
    assert_eq!(applied, reverted.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(tables(&db).await, before);
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_leaves_nothing() {
    let db = TestDatabase::empty().await;
    db.client()
        .await
        .unwrap()
        .batch_execute("CREATE TABLE quarantine (n int)")
        .await
        .unwrap();
    let error = migrate(db.url()).await.unwrap_err().to_string();
    assert!(
        error.contains("2026-11-23-000001_spine") && error.contains("\"quarantine\" already exists"),
        "{error}"
    );
    assert_eq!(tables(&db).await, 1);
}
