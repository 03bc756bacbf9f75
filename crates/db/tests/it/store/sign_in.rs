//! Sessions, second factors, passkeys, accounts elsewhere, letters.

use dash_db::{
    AccountError, AsyncPgConnection, DbError,
    store::{
        identities, mails, passkeys, second_factors,
        sessions::{self, Kept},
        users,
    },
    test_support::TestDatabase,
};
use dash_model::{Micros, UserId};
use dash_vault::{Key, Vault};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::json;
use uuid::Uuid;

const NOW: Micros = Micros(1_800_000_000_000_000);

fn later(seconds: i64) -> Micros {
    Micros(NOW.0 + seconds * 1_000_000)
}

async fn user(conn: &mut AsyncPgConnection, name: &str) -> UserId {
    let email = format!("{name}@example.org");
    users::create(conn, &email, &email, name, None).await.unwrap().id
}

fn kept(user: Option<UserId>, at: i64) -> Kept {
    Kept {
        user,
        data: json!({"at": at}),
        expires_at: later(at),
    }
}

#[tokio::test]
async fn a_session_that_was_ended_is_not_brought_back_by_a_request_on_its_way() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (ada, bob) = (user(conn, "ada").await, user(conn, "bob").await);
    for (hash, of) in [([1; 32], ada), ([2; 32], ada), ([3; 32], bob)] {
        sessions::create(conn, &hash, &kept(Some(of), 60)).await.unwrap();
    }
    assert!(
        sessions::create(conn, &[1; 32], &kept(None, 60)).await.is_err(),
        "an id comes once"
    );
    assert_eq!(
        sessions::load(conn, &[1; 32], NOW).await.unwrap(),
        Some(kept(Some(ada), 60))
    );
    assert_eq!(
        sessions::load(conn, &[1; 32], later(60)).await.unwrap(),
        None,
        "expired"
    );
    assert!(
        sessions::save(conn, &[1; 32], &kept(Some(ada), 90), later(1))
            .await
            .unwrap()
    );

    let devices = sessions::devices(conn, ada, NOW).await.unwrap();
    let of = |hash: [u8; 32]| devices.iter().find(|d| d.hash == hash).unwrap().id;
    assert_eq!(devices.len(), 2);
    assert!(!sessions::end(conn, bob, of([2; 32])).await.unwrap(), "another's");
    assert!(sessions::end(conn, ada, of([2; 32])).await.unwrap());
    assert!(
        !sessions::save(conn, &[2; 32], &kept(Some(ada), 90), later(1))
            .await
            .unwrap()
    );
    assert_eq!(sessions::load(conn, &[2; 32], NOW).await.unwrap(), None);

    sessions::create(conn, &[4; 32], &kept(Some(ada), 60)).await.unwrap();
    assert_eq!(sessions::end_all(conn, ada, Some(&[4; 32])).await.unwrap(), 1);
    let living = sessions::living(conn, &[[1; 32], [2; 32], [3; 32], [4; 32]], NOW)
        .await
        .unwrap();
    assert_eq!(living, [[3; 32], [4; 32]].into());
    assert_eq!(sessions::end_all(conn, ada, None).await.unwrap(), 1);
    assert_eq!(sessions::prune(conn, later(59), Micros(0)).await.unwrap(), 0);
    assert_eq!(sessions::prune(conn, later(60), Micros(0)).await.unwrap(), 1);
    // Somebody who began a way in and went away; their expiry is far.
    sessions::create(conn, &[5; 32], &kept(None, 9_999_999_999))
        .await
        .unwrap();
    sessions::create(conn, &[6; 32], &kept(Some(ada), 9_999_999_999))
        .await
        .unwrap();
    assert_eq!(sessions::prune(conn, Micros(0), Micros(0)).await.unwrap(), 0);
    assert_eq!(sessions::prune(conn, Micros(0), later(9_999_999)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_counts_once_however_many_type_it() {
    let db = TestDatabase::new().await;
    let vault = Vault::new(Key::random(), Vec::new());
    let conn = &mut db.diesel().await.unwrap();
    let ada = user(conn, "ada").await;
    let secret = |n: u8| SecretSlice::from(vec![n; 20]);
    assert!(second_factors::begin(conn, &vault, ada, &secret(1)).await.unwrap());
    assert!(
        second_factors::begin(conn, &vault, ada, &secret(2)).await.unwrap(),
        "begun again"
    );
    assert!(!second_factors::is_on(conn, ada).await.unwrap());
    assert!(second_factors::use_step(conn, ada, 7, NOW).await.unwrap());
    assert!(second_factors::is_on(conn, ada).await.unwrap());
    assert!(
        !second_factors::begin(conn, &vault, ada, &secret(3)).await.unwrap(),
        "one that is on is not replaced"
    );
    let factor = second_factors::get(conn, &vault, ada).await.unwrap().unwrap();
    assert_eq!(factor.secret.expose_secret(), [2; 20]);
    assert_eq!((factor.confirmed_at, factor.last_step), (Some(NOW), Some(7)));
    let race = (0..8).map(|_| {
        let db = db.db().clone();
        async move {
            second_factors::use_step(&mut db.diesel().await.unwrap(), ada, 8, later(1))
                .await
                .unwrap()
        }
    });
    let used = futures::future::join_all(race).await;
    assert_eq!(used.iter().filter(|u| **u).count(), 1);
    assert!(
        !second_factors::use_step(conn, ada, 7, later(1)).await.unwrap(),
        "an earlier one"
    );
    let factor = second_factors::get(conn, &vault, ada).await.unwrap().unwrap();
    assert_eq!(factor.confirmed_at, Some(NOW), "the first time counts");

    second_factors::set_recovery_codes(conn, ada, &[[1; 32], [2; 32]])
        .await
        .unwrap();
    assert!(
        second_factors::use_recovery_code(conn, ada, &[1; 32], NOW)
            .await
            .unwrap()
    );
    assert!(
        !second_factors::use_recovery_code(conn, ada, &[1; 32], NOW)
            .await
            .unwrap()
    );
    assert_eq!(second_factors::recovery_codes_left(conn, ada).await.unwrap(), 1);
    second_factors::set_recovery_codes(conn, ada, &[[3; 32]]).await.unwrap();
    assert!(
        !second_factors::use_recovery_code(conn, ada, &[2; 32], NOW)
            .await
            .unwrap(),
        "replaced"
    );
    assert!(second_factors::remove(conn, ada).await.unwrap());
    assert!(second_factors::get(conn, &vault, ada).await.unwrap().is_none());
    assert_eq!(second_factors::recovery_codes_left(conn, ada).await.unwrap(), 0);
}

#[tokio::test]
async fn what_signs_somebody_in_is_theirs_alone() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (ada, bob) = (user(conn, "ada").await, user(conn, "bob").await);
    identities::link(conn, ada, "https://id.test", "7", Some("ada@id.test"))
        .await
        .unwrap();
    let taken = identities::link(conn, bob, "https://id.test", "7", None)
        .await
        .unwrap_err();
    assert!(
        matches!(taken, DbError::Account(AccountError::IdentityTaken)),
        "{taken}"
    );
    assert_eq!(
        identities::used(conn, "https://id.test", "7", NOW).await.unwrap(),
        Some(ada)
    );
    assert_eq!(
        identities::used(conn, "https://other.test", "7", NOW).await.unwrap(),
        None
    );
    assert_eq!(identities::list(conn, ada).await.unwrap().len(), 1);
    assert!(!identities::unlink(conn, bob, "https://id.test", "7").await.unwrap());
    assert!(identities::unlink(conn, ada, "https://id.test", "7").await.unwrap());

    passkeys::add(conn, ada, b"credential", "Laptop", &json!({"counter": 1}))
        .await
        .unwrap();
    let taken = passkeys::add(conn, bob, b"credential", "Mine", &json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(taken, DbError::Account(AccountError::IdentityTaken)),
        "{taken}"
    );
    passkeys::used(conn, b"credential", Some(&json!({"counter": 2})), NOW)
        .await
        .unwrap();
    let list = passkeys::list(conn, ada).await.unwrap();
    assert_eq!((list[0].user, list[0].last_used_at), (ada, Some(NOW)));
    assert_eq!(list[0].stored, json!({"counter": 2}));
    assert!(!passkeys::remove(conn, bob, list[0].id).await.unwrap());
    assert!(!passkeys::remove(conn, ada, Uuid::now_v7()).await.unwrap());
    assert!(passkeys::remove(conn, ada, list[0].id).await.unwrap());
}

#[tokio::test]
async fn a_letter_is_kept_sealed_and_sent_by_one() {
    let db = TestDatabase::new().await;
    let vault = Vault::new(Key::random(), Vec::new());
    let conn = &mut db.diesel().await.unwrap();
    let id = mails::queue(conn, &vault, "ada@example.org", b"a link", NOW)
        .await
        .unwrap();
    let stored: Vec<u8> = db
        .client()
        .await
        .unwrap()
        .query_one("SELECT body FROM mails WHERE id = $1", &[&id])
        .await
        .unwrap()
        .get(0);
    assert!(!stored.windows(6).any(|w| w == b"a link"), "in clear");
    let taken = mails::take(conn, &vault, NOW, later(60), 10).await.unwrap();
    assert_eq!((taken[0].id, taken[0].attempts), (id, 1));
    assert_eq!(taken[0].body.expose_secret(), b"a link");
    assert!(
        mails::take(conn, &vault, later(59), later(99), 10)
            .await
            .unwrap()
            .is_empty(),
        "somebody sends it"
    );
    mails::failed(conn, id, "busy", Some(later(70)), later(1))
        .await
        .unwrap();
    let taken = mails::take(conn, &vault, later(70), later(99), 10).await.unwrap();
    assert_eq!((taken[0].attempts, taken[0].error.as_deref()), (2, Some("busy")));
    mails::failed(conn, id, "no such mailbox", None, later(71))
        .await
        .unwrap();
    assert!(
        mails::take(conn, &vault, later(9_999), later(9_999), 10)
            .await
            .unwrap()
            .is_empty(),
        "given up"
    );
    assert_eq!(mails::newest(conn, &vault, 10).await.unwrap().len(), 1);
    let other = mails::queue(conn, &vault, "bob@example.org", b"x", later(5))
        .await
        .unwrap();
    mails::sent(conn, other).await.unwrap();
    assert_eq!(
        mails::newest(conn, &vault, 10).await.unwrap().len(),
        1,
        "what is sent is gone"
    );
    assert_eq!(mails::prune(conn, later(1)).await.unwrap(), 1);
}
