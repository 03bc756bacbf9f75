use dash_db::{Db, PoolSizes, test_support::TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn every_database_is_its_own_and_goes_away() {
    let (one, two) = tokio::join!(TestDatabase::new(), TestDatabase::new());
    assert_ne!(one.target(), two.target());
    let add = "INSERT INTO organizations VALUES (gen_random_uuid(), 'acme', 'Acme')";
    one.client().await.unwrap().batch_execute(add).await.unwrap();
    let count = "SELECT count(*) FROM organizations";
    let seen: i64 = two.client().await.unwrap().query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(seen, 1);

    let url = one.url().clone();
    drop(one);
    let gone = Db::connect(&url, PoolSizes::default())
        .await
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(gone.contains("does not exist"), "{gone}");
}
