use dash_db::{
    AsyncPgConnection, DbError,
    store::audit::{self, Actor, Broken, Filter, NewEntry},
    test_support::TestDatabase,
};
use dash_model::{DEFAULT_ORGANIZATION as OWN, Micros, OrganizationId};
use diesel_async::AsyncConnection as _;
use serde_json::json;

use super::another_organization;

fn entry(n: i64) -> NewEntry {
    NewEntry {
        actor: Actor::operator(),
        action: "pipeline.create".into(),
        target: format!("pipeline {n}"),
        before: None,
        after: Some(json!({"name": n})),
    }
}

async fn append(conn: &mut AsyncPgConnection, organization: OrganizationId, n: i64) {
    audit::append(conn, organization, Micros(1_000_000 * n), entry(n))
        .await
        .unwrap();
}

#[tokio::test]
async fn entries_are_chained_by_organization_and_read_newest_first() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    assert_eq!(audit::verify(conn, OWN).await.unwrap().entries, 0);
    for n in 1..=5 {
        append(conn, OWN, n).await;
        append(conn, other, 10 * n).await;
    }
    let listed = audit::list(conn, OWN, &Filter::default(), 3).await.unwrap();
    assert_eq!(listed.iter().map(|e| e.number).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(listed[0].after.as_deref(), Some(r#"{"name":5}"#));
    assert_eq!(
        (listed[0].actor.as_str(), listed[0].at),
        ("operator", Micros(5_000_000))
    );
    assert_eq!(listed[0].previous, listed[1].hash);
    let older = Filter {
        before: Some(3),
        ..Filter::default()
    };
    let rest = audit::list(conn, OWN, &older, 10).await.unwrap();
    assert_eq!(rest.iter().map(|e| e.number).collect::<Vec<_>>(), [2, 1]);
    let filter = |action: Option<&str>, actor: Option<&str>, target: Option<&str>| Filter {
        before: None,
        action: action.map(Into::into),
        actor: actor.map(Into::into),
        target: target.map(Into::into),
    };
    for (filter, found) in [
        (filter(Some("pipeline."), None, None), 5),
        (filter(Some("peline."), None, None), 0),
        (filter(None, Some("COMMAND"), None), 5),
        (filter(None, None, Some("line 4")), 1),
        // What would match everything as a pattern.
        (filter(Some("%"), None, None), 0),
        (filter(None, Some("_ommand"), Some("%")), 0),
    ] {
        let listed = audit::list(conn, OWN, &filter, 10).await.unwrap();
        assert_eq!(listed.len(), found, "{filter:?}");
    }
    for organization in [OWN, other] {
        let verified = audit::verify(conn, organization).await.unwrap();
        assert_eq!((verified.entries, verified.broken), (5, None));
    }
    assert_eq!(audit::verify(conn, OWN).await.unwrap().head, listed[0].hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_make_one_chain_and_what_is_rolled_back_leaves_no_gap() {
    let db = TestDatabase::new().await;
    let writers = (0..8).map(|writer| {
        let db = db.db().clone();
        async move {
            for n in 0..10 {
                let conn: &mut AsyncPgConnection = &mut db.diesel().await.unwrap();
                if n % 3 == 2 {
                    let fails = async |conn: &mut AsyncPgConnection| {
                        append(conn, OWN, 1).await;
                        Err::<(), DbError>(DbError::Url)
                    };
                    assert!(conn.transaction(fails).await.is_err());
                } else {
                    append(conn, OWN, writer * 100 + n).await;
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    let verified = audit::verify(&mut db.diesel().await.unwrap(), OWN).await.unwrap();
    assert_eq!((verified.entries, verified.broken), (8 * 7, None));
}

#[tokio::test]
async fn the_log_only_grows_and_what_is_changed_around_its_guard_is_found() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    for n in 1..=6 {
        append(conn, OWN, n).await;
    }
    let client = db.client().await.unwrap();
    for sql in [
        "UPDATE audit_log SET target = 'x'",
        "UPDATE audit_log SET target = 'x' WHERE false",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let error = client.batch_execute(sql).await.unwrap_err();
        let words = error.as_db_error().map(|e| e.message().to_owned());
        assert_eq!(words.as_deref(), Some("audit_log only grows"), "{sql}");
    }
    // Who owns the table can take its guard away; the chain tells of it.
    client
        .batch_execute("ALTER TABLE audit_log DISABLE TRIGGER only_grows; CREATE TABLE kept AS SELECT * FROM audit_log")
        .await
        .unwrap();
    let swapped =
        "UPDATE audit_log a SET target = b.target FROM audit_log b WHERE (a.number, b.number) IN ((2, 3), (3, 2))";
    let forged = "UPDATE audit_log SET hash = sha256('x') WHERE number = 3";
    for (sql, at, broken) in [
        (
            "UPDATE audit_log SET target = 'other' WHERE number = 4",
            4,
            Broken::Changed,
        ),
        (
            "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE number = 4",
            4,
            Broken::Changed,
        ),
        ("UPDATE audit_log SET address = '' WHERE number = 4", 4, Broken::Changed),
        (
            "UPDATE audit_log SET before = after, after = before WHERE number = 4",
            4,
            Broken::Changed,
        ),
        (swapped, 2, Broken::Changed),
        (forged, 3, Broken::Changed),
        (
            "UPDATE audit_log SET previous = sha256('x') WHERE number = 5",
            5,
            Broken::Chain,
        ),
        ("DELETE FROM audit_log WHERE number = 1", 2, Broken::Gap),
        ("DELETE FROM audit_log WHERE number = 3", 4, Broken::Gap),
        (
            "DELETE FROM audit_log WHERE number = 3; UPDATE audit_log SET number = number + 99 WHERE number > 3; UPDATE audit_log SET number = number - 100 WHERE number > 99",
            3,
            Broken::Chain,
        ),
    ] {
        client.batch_execute(sql).await.unwrap();
        let verified = audit::verify(conn, OWN).await.unwrap();
        assert_eq!(verified.broken, Some((at, broken)), "{sql}");
        assert_eq!(verified.entries, at - 1 - i64::from(broken == Broken::Gap), "{sql}");
        client
            .batch_execute("DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept")
            .await
            .unwrap();
    }
    let whole = audit::verify(conn, OWN).await.unwrap();
    client
        .batch_execute("DELETE FROM audit_log WHERE number = 6")
        .await
        .unwrap();
    let cut = audit::verify(conn, OWN).await.unwrap();
    assert_eq!(
        (cut.entries, cut.broken),
        (5, None),
        "only a head that was noted shows this"
    );
    assert_ne!(cut.head, whole.head);
}
