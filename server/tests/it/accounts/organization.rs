use dash_db::store::{self, audit::Filter};
use dash_model::{
    DEFAULT_ORGANIZATION as OWN,
    account::{OrganizationRole as Role, Scope},
};

use crate::util::TestApp;

async fn actions(app: &TestApp) -> Vec<String> {
    let mut connection = app.database.db().diesel().await.unwrap();
    let log = store::audit::list(&mut connection, OWN, &Filter::default(), 100)
        .await
        .unwrap();
    log.into_iter().rev().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn roles_teams_and_leaving_end_sessions_and_are_in_the_log() {
    let app = TestApp::start().await;
    let (ada, bob) = (
        app.member(OWN, Role::Admin, "ada").await,
        app.member(OWN, Role::Member, "bob").await,
    );
    let owner = app.owner.cookie.clone();
    let by = async |cookie: &str, path: &str, fields: &[(&str, &str)]| app.submit(cookie, path, fields).await;
    let bob_id = bob.user.to_string();

    let made = by(&ada.cookie, "/api/teams/make", &[("name", "Machines")]).await;
    assert!(made.said().contains("Machines"), "{}", made.said());
    assert_eq!(
        by(&ada.cookie, "/api/teams/make", &[("name", "machines")])
            .await
            .notice
            .unwrap()
            .field
            .as_deref(),
        Some("name")
    );
    let mut connection = app.database.db().diesel().await.unwrap();
    let team = store::teams::list(&mut connection, OWN).await.unwrap()[0]
        .id
        .to_string();
    let joined = by(
        &ada.cookie,
        "/api/teams/member",
        &[("team", &team), ("user", &bob_id), ("role", "editor")],
    )
    .await;
    assert!(joined.said().contains("bob is editor in Machines"), "{}", joined.said());
    let bobs = store::sessions::devices(&mut connection, bob.user, server::clock::now())
        .await
        .unwrap();
    assert!(bobs.is_empty(), "what he may do has changed");

    // Nobody gives what they do not have.
    let raised = by(&ada.cookie, "/api/people/role", &[("user", &bob_id), ("role", "owner")]).await;
    assert!(raised.said().contains("owner"), "{}", raised.said());
    let own = by(
        &ada.cookie,
        "/api/people/role",
        &[("user", &app.owner.user.to_string()), ("role", "member")],
    )
    .await;
    assert!(own.notice.unwrap().failed, "an admin does not unseat an owner");
    let invited = by(
        &ada.cookie,
        "/api/people/invite",
        &[("email", "x@example.org"), ("role", "owner")],
    )
    .await;
    assert!(invited.notice.unwrap().failed);
    let last = by(&owner, "/api/people/leave", &[]).await;
    assert!(last.said().contains("needs an owner"), "{}", last.said());
    let removed = by(&owner, "/api/people/remove", &[("user", &bob_id)]).await;
    assert!(removed.said().contains("bob no longer"), "{}", removed.said());
    let handed = by(&owner, "/api/people/hand-on", &[("user", &ada.user.to_string())]).await;
    assert!(handed.said().contains("ada owns it now"), "{}", handed.said());
    assert_eq!(
        store::members::role(&mut connection, OWN, app.owner.user)
            .await
            .unwrap(),
        Some(Role::Admin)
    );

    assert_eq!(
        actions(&app).await,
        ["team.create", "team.member", "member.remove", "organization.hand_on"]
    );
    assert_eq!(store::audit::verify(&mut connection, OWN).await.unwrap().broken, None);
}

#[tokio::test]
async fn an_organization_is_deleted_after_a_grace_period_in_which_it_can_be_kept() {
    let app = TestApp::start().await;
    let owner = &app.owner.cookie;
    let wrong = app
        .submit(owner, "/api/organization/delete", &[("name", "default")])
        .await;
    assert_eq!(
        wrong.notice.unwrap().field.as_deref(),
        Some("name"),
        "its name is Default"
    );
    let done = app
        .submit(owner, "/api/organization/delete", &[("name", "Default")])
        .await;
    assert!(done.said().contains("14 days"), "{}", done.said());
    let page = app.page("/pipelines").await.text().await.unwrap();
    assert!(page.contains("will be deleted on"), "{page}");
    let kept = app.submit(owner, "/api/organization/keep", &[]).await;
    assert_eq!(kept.said(), "It is kept.");
    assert!(
        !app.page("/pipelines")
            .await
            .text()
            .await
            .unwrap()
            .contains("will be deleted on")
    );

    app.submit(owner, "/api/organization/delete", &[("name", "Default")])
        .await;
    let client = app.database.client().await.unwrap();
    client
        .batch_execute("UPDATE organizations SET delete_at = now() - interval '1 second'")
        .await
        .unwrap();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let gone = client.get(format!("{}/api/pipelines", app.url)).header("cookie", owner);
    assert_eq!(
        gone.send().await.unwrap().status(),
        403,
        "nobody sees anything of it any more"
    );
}

#[tokio::test]
async fn keys_are_shown_once_do_what_their_scope_says_and_end() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("keyed", crate::util::value_mapping()).await;
    let owner = &app.owner.cookie;
    let make = async |fields: &[(&str, &str)]| app.submit(owner, "/api/keys/make", fields).await;
    let bad = make(&[("name", "x"), ("scope", "read"), ("days", "0"), ("service", "true")]).await;
    assert_eq!(bad.notice.unwrap().field.as_deref(), Some("days"));
    let made = make(&[
        ("name", "Grafana"),
        ("scope", "read"),
        ("days", "30"),
        ("service", "true"),
    ])
    .await;
    let key = made.notice.unwrap().once.remove(0);
    let page = app.page("/organization?tab=keys").await.text().await.unwrap();
    assert!(page.contains("Grafana") && !page.contains(&key), "shown once");
    let stats = async |key: &str| {
        let request = app
            .client
            .get(format!("{}/api/v1/pipelines/keyed/stats", app.url))
            .bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(stats(&key).await, 200);
    assert_eq!(
        stats(&pipeline.ingest_key).await,
        403,
        "an ingest key is refused on every other path"
    );
    let post = async |key: &str| {
        let request = app
            .client
            .post(format!("{}/api/v1/ingest/keyed", app.url))
            .bearer_auth(key);
        request
            .body(r#"{"at":1700000000000,"value":1}"#)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(post(&key).await, 403, "it only reads");
    let ingest = app.api_key(OWN, Scope::Ingest, None).await;
    assert_eq!(post(&ingest).await, 202);

    let mut connection = app.database.db().diesel().await.unwrap();
    let kept = store::api_keys::list(&mut connection, OWN, None).await.unwrap();
    let id = kept.iter().find(|k| k.name == "Grafana").unwrap().id.to_string();
    let revoked = app
        .submit(owner, "/api/keys/revoke", &[("id", &id), ("service", "true")])
        .await;
    assert!(revoked.said().contains("Grafana is revoked"), "{}", revoked.said());
    assert_eq!(stats(&key).await, 401);
    app.running().state.keys.note().await.unwrap();
    let used = store::api_keys::list(&mut connection, OWN, None).await.unwrap();
    assert!(used.iter().any(|k| k.last_used_at.is_some()));
}

#[tokio::test]
async fn the_audit_log_is_narrowed_and_exported() {
    let app = TestApp::start().await;
    for name in ["One", "Two"] {
        app.submit(&app.owner.cookie, "/api/teams/make", &[("name", name)])
            .await;
    }
    app.submit(
        &app.owner.cookie,
        "/api/organization/name",
        &[("name", "=HYPERLINK(\"x\")")],
    )
    .await;
    let page = app
        .page("/organization?tab=audit&action=team.&target=two")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("team Two") && !page.contains("team One"), "{page}");
    let csv = app.page("/organization/audit.csv").await;
    assert_eq!(
        csv.headers()["content-disposition"],
        "attachment; filename=\"audit.csv\""
    );
    let csv = csv.text().await.unwrap();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(!csv.contains(",\"="), "no cell is a formula: {csv}");
    let lines = app
        .page("/organization/audit.json?action=team.")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(lines.lines().count(), 2);
    let member = app.member(OWN, Role::Member, "member").await;
    assert_eq!(app.page_of(&member, "/organization/audit.csv").await.status(), 403);
}

#[tokio::test]
async fn what_is_given_to_a_team_is_seen_by_its_members_alone() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let team = store::teams::create(&mut connection, OWN, "team", "Team")
        .await
        .unwrap()
        .id;
    let pipeline = app.pipeline("given", crate::util::value_mapping()).await;
    let bob = app.member(OWN, Role::Member, "bob").await;
    assert_eq!(app.page_of(&bob, "/pipelines/given").await.status(), 200);
    let give = async |cookie: &str, team: &str| {
        app.submit(cookie, "/api/pipeline/team", &[("pipeline", "given"), ("team", team)])
            .await
    };
    assert!(give(&bob.cookie, &team.to_string()).await.notice.unwrap().failed);
    let given = give(&app.owner.cookie, &team.to_string()).await;
    assert_eq!(given.said(), "The pipeline belongs to Team now.");
    assert_eq!(app.page_of(&bob, "/pipelines/given").await.status(), 404);
    let foreign = store::organizations::create(&mut connection, "other", "Other")
        .await
        .unwrap()
        .id;
    let theirs = store::teams::create(&mut connection, foreign, "t", "T")
        .await
        .unwrap()
        .id;
    assert!(
        give(&app.owner.cookie, &theirs.to_string())
            .await
            .notice
            .unwrap()
            .failed
    );
    // A team that has something is not deleted.
    let deleted = app
        .submit(&app.owner.cookie, "/api/teams/delete", &[("team", &team.to_string())])
        .await;
    assert!(
        deleted.said().contains("has pipelines or dashboards"),
        "{}",
        deleted.said()
    );
    assert_eq!(
        give(&app.owner.cookie, "").await.said(),
        "The pipeline belongs to the whole organization now."
    );
    assert_eq!(
        app.page_of(&bob, &format!("/pipelines/{}", pipeline.id)).await.status(),
        200
    );
    assert_eq!(actions(&app).await[1..3], ["pipeline.team", "pipeline.team"]);
}

#[tokio::test]
async fn a_persons_key_falls_with_their_role() {
    let app = TestApp::start().await;
    app.pipeline("kept", crate::util::value_mapping()).await;
    let ada = app.member(OWN, Role::Admin, "ada").await;
    let made = app
        .submit(
            &ada.cookie,
            "/api/keys/make",
            &[("name", "k"), ("scope", "read"), ("team", "")],
        )
        .await;
    let key = made.notice.unwrap().once.remove(0);
    let stats = async || {
        let request = app
            .client
            .get(format!("{}/api/v1/pipelines/kept/stats", app.url))
            .bearer_auth(&key);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(stats().await, 200);
    let fields = [("user", &*ada.user.to_string()), ("role", "member")];
    app.submit(&app.owner.cookie, "/api/people/role", &fields).await;
    app.running().state.keys.forget();
    assert_eq!(
        stats().await,
        401,
        "a member's key for all teams would do more than they may"
    );
}

#[tokio::test]
async fn a_person_makes_no_more_organizations_than_ten_and_not_all_at_once() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    // The ninth; one is there from the start.
    let mut last = OWN;
    for n in 2..=9 {
        last = store::organizations::create(&mut connection, &format!("o{n}"), "Another")
            .await
            .unwrap()
            .id;
        store::members::add(&mut connection, last, app.owner.user, Role::Owner)
            .await
            .unwrap();
    }
    let make = async |cookie: &str| app.submit(cookie, "/api/organizations/make", &[("name", "Mine")]).await;
    let tenth = make(&app.owner.cookie).await;
    assert_eq!(tenth.said(), "Mine is made, and you own it.");
    let refused = make(&tenth.cookie).await;
    assert!(refused.said().contains("10 are the most"), "{}", refused.said());
    let ended = dash_model::Micros(server::clock::now().0 - 1_000_000);
    store::organizations::set_delete_at(&mut connection, last, Some(ended))
        .await
        .unwrap();
    let again = make(&tenth.cookie).await;
    assert_eq!(again.said(), "Mine is made, and you own it.");
    // Those that were refused count as tries.
    for _ in 0..2 {
        assert!(make(&again.cookie).await.said().contains("10 are the most"));
    }
    let often = make(&again.cookie).await;
    assert!(often.said().contains("too often"), "{}", often.said());
}

#[tokio::test]
async fn a_person_does_not_invite_without_end() {
    let app = TestApp::start().await;
    let ada = app.member(OWN, Role::Admin, "ada").await;
    for _ in 0..30 {
        app.running().state.rates.invitation(app.owner.user).unwrap();
    }
    let invite = async |cookie: &str| {
        let fields = [("email", "new@example.org"), ("role", "member")];
        app.submit(cookie, "/api/people/invite", &fields).await
    };
    let refused = invite(&app.owner.cookie).await;
    assert!(refused.said().contains("too often"), "{}", refused.said());
    let invited = invite(&ada.cookie).await;
    assert!(invited.said().contains("is invited"), "{}", invited.said());
}
