use dash_db::{
    DbError,
    store::{
        audit::{self, Actor, By, Filter},
        secrets::{self, Renewed},
    },
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION, Micros, PipelineId};
use dash_vault::{Key, Vault};
use secrecy::{ExposeSecret, SecretSlice};

use super::pipeline;

async fn stored(db: &TestDatabase, of: PipelineId) -> Vec<u8> {
    let sql = "SELECT secret FROM signing_secrets WHERE pipeline_id = $1";
    db.client()
        .await
        .unwrap()
        .query_one(sql, &[&of.0])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn a_signing_secret_replaces_the_one_before_and_is_stored_sealed() {
    let db = TestDatabase::new().await;
    let vault = Vault::new(Key::random(), Vec::new());
    let conn = &mut db.diesel().await.unwrap();
    let of = pipeline(conn, "One").await.id;
    assert!(secrets::signing_of(conn, &vault, of).await.unwrap().is_none());
    for secret in [vec![1_u8, 0, 255, 7, 7, 7], vec![9; 24]] {
        secrets::set_signing(
            conn,
            &vault,
            DEFAULT_ORGANIZATION,
            of,
            &SecretSlice::from(secret.clone()),
        )
        .await
        .unwrap();
        let opened = secrets::signing_of(conn, &vault, of).await.unwrap().unwrap();
        assert_eq!(opened.expose_secret(), secret);
        let stored = stored(&db, of).await;
        assert!(!stored.windows(secret.len()).any(|w| w == secret), "in clear");
    }
}

#[tokio::test]
async fn a_secret_does_not_open_in_the_row_of_another_pipeline() {
    let db = TestDatabase::new().await;
    let vault = Vault::new(Key::random(), Vec::new());
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await.id, pipeline(conn, "Two").await.id);
    for of in [one, two] {
        secrets::set_signing(
            conn,
            &vault,
            DEFAULT_ORGANIZATION,
            of,
            &SecretSlice::from(of.0.as_bytes().to_vec()),
        )
        .await
        .unwrap();
    }
    let copy = "UPDATE signing_secrets SET secret = (SELECT secret FROM signing_secrets WHERE pipeline_id = $1) WHERE pipeline_id = $2";
    db.client()
        .await
        .unwrap()
        .execute(copy, &[&one.0, &two.0])
        .await
        .unwrap();
    assert!(secrets::signing_of(conn, &vault, one).await.is_ok());
    let error = secrets::signing_of(conn, &vault, two).await.unwrap_err();
    assert!(matches!(error, DbError::Secret(_)), "{error}");
}

#[tokio::test]
async fn keys_change_and_what_was_in_clear_is_sealed() {
    let db = TestDatabase::new().await;
    let (old, new) = (Key::random(), Key::random());
    let by = By {
        actor: Actor::operator(),
        at: Micros(1),
    };
    let before = Vault::new(old.clone(), Vec::new());
    let conn = &mut db.diesel().await.unwrap();
    let mut of = Vec::new();
    for (name, secret) in [("One", 1_u8), ("Two", 2), ("Three", 3)] {
        let id = pipeline(conn, name).await.id;
        secrets::set_signing(
            conn,
            &before,
            DEFAULT_ORGANIZATION,
            id,
            &SecretSlice::from(vec![secret; 32]),
        )
        .await
        .unwrap();
        of.push(id);
    }
    let clear = "UPDATE signing_secrets SET secret = $1, sealed = false WHERE pipeline_id = $2";
    db.client()
        .await
        .unwrap()
        .execute(clear, &[&vec![3_u8; 32], &of[2].0])
        .await
        .unwrap();
    let third = secrets::signing_of(conn, &before, of[2]).await.unwrap().unwrap();
    assert_eq!(third.expose_secret(), [3; 32], "an older version stored it so");

    // Without the old key nothing is changed, and it says which key is missing.
    let only = Vault::new(new.clone(), Vec::new());
    let error = secrets::renew(conn, &only, &by).await.unwrap_err().to_string();
    assert!(error.contains(&old.id().to_string()), "{error}");
    assert_eq!(stored(&db, of[2]).await, [3; 32], "all or nothing");

    let both = Vault::new(new, vec![old]);
    let expected = |sealed, renewed, kept| Renewed { sealed, renewed, kept };
    assert_eq!(secrets::renew(conn, &both, &by).await.unwrap(), expected(1, 2, 0));
    assert_eq!(secrets::renew(conn, &both, &by).await.unwrap(), expected(0, 0, 3));
    for (id, secret) in of.iter().zip([1_u8, 2, 3]) {
        let opened = secrets::signing_of(conn, &only, *id).await.unwrap().unwrap();
        assert_eq!(opened.expose_secret(), [secret; 32]);
    }
    assert_eq!(secrets::seal_clear(conn, &only).await.unwrap(), 0);
    let log = audit::list(conn, DEFAULT_ORGANIZATION, &Filter::default(), 10)
        .await
        .unwrap();
    let told: Vec<_> = log.iter().map(|e| (e.action.as_str(), e.after.as_deref())).collect();
    assert_eq!(told, [("secrets.rotate", Some(r#"{"rotated":2}"#))]);
}
