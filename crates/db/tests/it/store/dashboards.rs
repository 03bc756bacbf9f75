use dash_db::{DbError, store::dashboards, test_support::TestDatabase};
use dash_model::{
    DEFAULT_ORGANIZATION, DashboardId,
    dashboard::{Dashboard, Widget, WidgetKind, WidgetQuery},
    query::{Aggregation, MetricQuery, TimeRange},
};
use uuid::Uuid;

use super::another_organization;

fn dashboard(slug: &str) -> Dashboard {
    let query = MetricQuery {
        pipeline: "machine".into(),
        metric: "cpu".into(),
        agg: Aggregation::Max,
        by: vec!["core".into()],
        only: Vec::new(),
    };
    Dashboard {
        id: DashboardId(Uuid::now_v7()),
        slug: slug.into(),
        title: slug.to_uppercase(),
        description: String::new(),
        range: TimeRange::Last { seconds: 300 },
        widgets: vec![Widget {
            id: "cpu".into(),
            title: "CPU".into(),
            kind: WidgetKind::Line,
            queries: vec![WidgetQuery {
                label: "core".into(),
                query,
            }],
            unit: Some("%".into()),
            decimals: Some(1),
            max_points: Some(170),
            columns: 6,
            rows: 3,
        }],
        team: None,
        public: false,
    }
}

#[tokio::test]
async fn a_dashboard_is_shared_by_its_own_organization_alone() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let (mut own, theirs) = (dashboard("a"), dashboard("a"));
    dashboards::upsert(conn, DEFAULT_ORGANIZATION, &own, 0).await.unwrap();
    dashboards::upsert(conn, other, &theirs, 0).await.unwrap();
    assert!(dashboards::public(conn).await.unwrap().is_empty());
    assert!(
        !dashboards::set_public(conn, DEFAULT_ORGANIZATION, theirs.id, true)
            .await
            .unwrap()
    );
    assert!(
        dashboards::set_public(conn, DEFAULT_ORGANIZATION, own.id, true)
            .await
            .unwrap()
    );
    own.public = true;
    let public = dashboards::public(conn).await.unwrap();
    assert_eq!(public, [(DEFAULT_ORGANIZATION, own.clone())]);
    assert!(
        dashboards::set_public(conn, DEFAULT_ORGANIZATION, own.id, false)
            .await
            .unwrap()
    );
    assert!(dashboards::public(conn).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dashboard_comes_back_as_it_was_put_and_as_it_was_changed() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let mut board = dashboard("a");
    for slug in ["a", "renamed"] {
        board.slug = slug.into();
        dashboards::upsert(conn, DEFAULT_ORGANIZATION, &board, 0).await.unwrap();
        for name in [slug, &board.id.to_string()] {
            assert_eq!(
                dashboards::get(conn, DEFAULT_ORGANIZATION, name)
                    .await
                    .unwrap()
                    .as_ref(),
                Some(&board)
            );
        }
        board.widgets.clear();
    }
    assert_eq!(dashboards::get(conn, DEFAULT_ORGANIZATION, "a").await.unwrap(), None);
}

#[tokio::test]
async fn a_list_goes_by_position_then_title() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    for (slug, position) in [("c", 1), ("b", 2), ("a", 2), ("d", 0)] {
        dashboards::upsert(conn, DEFAULT_ORGANIZATION, &dashboard(slug), position)
            .await
            .unwrap();
    }
    let list = dashboards::list(conn, DEFAULT_ORGANIZATION).await.unwrap();
    assert_eq!(
        list.iter().map(|d| d.slug.as_str()).collect::<Vec<_>>(),
        ["d", "c", "a", "b"]
    );
}

#[tokio::test]
async fn a_taken_slug_is_named() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    dashboards::upsert(conn, DEFAULT_ORGANIZATION, &dashboard("a"), 0)
        .await
        .unwrap();
    let error = dashboards::upsert(conn, DEFAULT_ORGANIZATION, &dashboard("a"), 0)
        .await
        .unwrap_err();
    assert!(matches!(&error, DbError::SlugTaken { slug } if slug == "a"), "{error}");
}

#[tokio::test]
async fn another_organizations_dashboard_cannot_be_seen_or_changed() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let elsewhere = another_organization(&db).await;
    let board = dashboard("a");
    dashboards::upsert(conn, DEFAULT_ORGANIZATION, &board, 0).await.unwrap();
    let stolen = Dashboard {
        title: "stolen".into(),
        ..board.clone()
    };
    assert!(dashboards::upsert(conn, elsewhere, &stolen, 0).await.is_err());
    assert_eq!(
        dashboards::get(conn, elsewhere, &board.id.to_string()).await.unwrap(),
        None
    );
    assert_eq!(dashboards::list(conn, elsewhere).await.unwrap(), []);
    assert_eq!(
        dashboards::get(conn, DEFAULT_ORGANIZATION, "a").await.unwrap(),
        Some(board)
    );
}
