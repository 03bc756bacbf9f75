use std::time::Duration;

use dash_db::{Db, DbError, PoolSizes, migrate, test_support::TestDatabase};
use diesel_async::RunQueryDsl;
use secrecy::SecretString;

#[tokio::test]
async fn both_pools_reach_the_same_database() {
    let db = TestDatabase::new().await;
    db.ping().await.unwrap();
    let client = db.client().await.unwrap();
    client
        .batch_execute("CREATE TABLE seen (n int); INSERT INTO seen VALUES (1), (2)")
        .await
        .unwrap();
    let deleted = diesel::sql_query("DELETE FROM seen")
        .execute(&mut db.diesel().await.unwrap())
        .await
        .unwrap();
    assert_eq!(deleted, 2);
}

#[tokio::test]
async fn sessions_count_time_in_utc() {
    let db = TestDatabase::new().await;
    let row = db
        .client()
        .await
        .unwrap()
        .query_one("SHOW timezone", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "UTC");
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_named_without_its_password() {
    // Bound and let go: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url: SecretString = format!("postgres://ann:s3cret@127.0.0.1:{port}/shop").into();
    let refused = Db::connect(&url, PoolSizes::default()).await.map(|_| ()).unwrap_err();
    let unmigrated = migrate(&url).await.unwrap_err();
    for error in [refused, unmigrated] {
        assert!(error.is_transient());
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(
                text.contains(&format!("127.0.0.1:{port}, database shop, user ann")),
                "{text}"
            );
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let db = TestDatabase::new().await;
    let client = db.client().await.unwrap();
    let at: String = client
        .query_one("SHOW unix_socket_directories", &[])
        .await
        .unwrap()
        .get(0);
    let url = format!("postgres://dash:s3cret@/nowhere?host={}", at.replace('/', "%2F")).into();
    let text = Db::connect(&url, PoolSizes::default())
        .await
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(text.contains("database \"nowhere\" does not exist"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn connections_that_the_server_closed_are_replaced() {
    let db = TestDatabase::new().await;
    drop((db.client().await.unwrap(), db.diesel().await.unwrap()));
    let other = Db::connect(db.url(), PoolSizes { rows: 1, metrics: 1 }).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    assert_eq!(other.client().await.unwrap().query(kill, &[]).await.unwrap().len(), 2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    db.ping().await.unwrap();
    db.client().await.unwrap().batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_was_abandoned_does_not_reach_the_next_user() {
    let db = TestDatabase::new().await;
    let one = Db::connect(db.url(), PoolSizes { rows: 1, metrics: 1 }).await.unwrap();
    {
        let mut client = one.client().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        transaction.batch_execute("CREATE TABLE half (n int)").await.unwrap();
        // Dropped with the transaction open, as when a handler is cancelled.
    }
    let client = one.client().await.unwrap();
    let row = client
        .query_one("SELECT to_regclass('half') IS NULL", &[])
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn a_closed_pool_refuses() {
    let db = TestDatabase::new().await;
    db.close();
    assert!(matches!(db.ping().await, Err(DbError::Pool(_))));
}
