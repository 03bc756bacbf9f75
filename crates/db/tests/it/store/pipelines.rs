use dash_db::{DbError, store::pipelines, test_support::TestDatabase};
use dash_model::{DEFAULT_ORGANIZATION, MappingVersionId, PipelineId, pipeline::Source};
use diesel_async::AsyncConnection;
use uuid::Uuid;

use super::{another_organization, definition, pipeline};

#[tokio::test]
async fn a_pipeline_is_made_with_its_first_mapping_version() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let mut wanted = definition("Front door");
    wanted.description = "Who comes and goes".into();
    wanted.source = Source::Machine { interval_ms: 250 };
    let made = pipelines::create(conn, DEFAULT_ORGANIZATION, &wanted).await.unwrap();
    assert_eq!((made.slug.as_str(), made.active_version.number), ("front-door", 1));
    wanted.slug = Some("front-door".into());
    assert_eq!(made.definition(), wanted);

    for name in ["front-door", &made.id.to_string()] {
        assert_eq!(
            pipelines::get(conn, DEFAULT_ORGANIZATION, name).await.unwrap().as_ref(),
            Some(&made)
        );
    }
    assert_eq!(pipelines::by_id(conn, made.id).await.unwrap(), Some(made));
    assert_eq!(
        pipelines::get(conn, DEFAULT_ORGANIZATION, "back-door").await.unwrap(),
        None
    );
    assert_eq!(pipelines::by_id(conn, PipelineId(Uuid::nil())).await.unwrap(), None);
}

#[tokio::test]
async fn a_taken_slug_is_named_and_leaves_nothing_behind() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let first = pipeline(conn, "Door").await;
    let error = pipelines::create(conn, DEFAULT_ORGANIZATION, &definition("door!"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DbError::SlugTaken { slug } if slug == "door"),
        "{error}"
    );
    assert_eq!(error.to_string(), "slug: \"door\" is taken; choose another");
    assert_eq!(pipelines::list(conn, DEFAULT_ORGANIZATION).await.unwrap(), [first]);

    let elsewhere = another_organization(&db).await;
    pipelines::create(conn, elsewhere, &definition("Door")).await.unwrap();
}

#[tokio::test]
async fn a_taken_slug_does_not_spoil_the_callers_transaction() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    pipeline(conn, "Door").await;
    let made = conn.transaction(async |conn| {
        let taken = pipelines::create(conn, DEFAULT_ORGANIZATION, &definition("Door")).await;
        assert!(matches!(taken, Err(DbError::SlugTaken { .. })));
        pipelines::create(conn, DEFAULT_ORGANIZATION, &definition("Door 2")).await
    });
    assert_eq!(made.await.unwrap().slug, "door-2");
}

#[tokio::test]
async fn a_definition_that_does_not_hold_is_not_stored() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let mut wrong = definition("Door");
    wrong.mapping.metrics.clear();
    let error = pipelines::create(conn, DEFAULT_ORGANIZATION, &wrong).await.unwrap_err();
    assert!(
        matches!(&error, DbError::Definition(e) if e.field == "mapping.metrics"),
        "{error}"
    );
}

#[tokio::test]
async fn an_organization_sees_its_own_pipelines_only() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (b, a) = (pipeline(conn, "B").await, pipeline(conn, "A").await);
    let elsewhere = another_organization(&db).await;
    let theirs = pipelines::create(conn, elsewhere, &definition("C")).await.unwrap();
    assert_eq!(
        pipelines::list(conn, DEFAULT_ORGANIZATION).await.unwrap(),
        [a.clone(), b.clone()]
    );
    assert_eq!(
        pipelines::list(conn, elsewhere).await.unwrap(),
        std::slice::from_ref(&theirs)
    );
    assert_eq!(pipelines::get(conn, elsewhere, &a.id.to_string()).await.unwrap(), None);
    assert_eq!(pipelines::all(conn).await.unwrap(), [b, a, theirs]);
}

#[tokio::test]
async fn a_slug_that_reads_like_an_id_does_not_shadow_the_id() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let real = pipeline(conn, "Real").await;
    let mut poser = definition("Poser");
    poser.slug = Some(real.id.to_string());
    pipelines::create(conn, DEFAULT_ORGANIZATION, &poser).await.unwrap();
    let found = pipelines::get(conn, DEFAULT_ORGANIZATION, &real.id.to_string())
        .await
        .unwrap();
    assert_eq!(found.map(|p| p.slug), Some("real".into()));
}

#[tokio::test]
async fn a_pipeline_follows_a_version_of_its_own_only() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let (one, two) = (pipeline(conn, "One").await, pipeline(conn, "Two").await);
    let MappingVersionId(other) = two.active_version.id;
    let sql = format!(
        "UPDATE pipelines SET active_version_id = {other} WHERE id = '{}'",
        one.id
    );
    let error = db.client().await.unwrap().batch_execute(&sql).await.unwrap_err();
    let constraint = error.as_db_error().and_then(|e| e.constraint());
    assert_eq!(constraint, Some("pipelines_id_active_version_id_fkey"), "{error:?}");
}

#[tokio::test]
async fn a_stored_mapping_that_cannot_be_read_is_named() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    pipeline(conn, "Door").await;
    let spoil = r#"UPDATE mapping_versions SET mapping = '{"metrics": 7}'"#;
    db.client().await.unwrap().batch_execute(spoil).await.unwrap();
    let error = pipelines::list(conn, DEFAULT_ORGANIZATION)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the mapping of pipeline door in the database cannot be read"),
        "{error}"
    );
}
