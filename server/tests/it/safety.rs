//! Flaws that others had, by their names.

use dash_db::store;
use dash_model::{
    DEFAULT_ORGANIZATION as OWN, OrganizationId, TeamId,
    account::{OrganizationRole as Role, TeamRole},
    dashboard::Dashboard,
};
use serde_json::json;

use crate::util::{Member, PASSWORD, TestApp, text, value_mapping};

fn no_redirects() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// A team of others, and one whose editor somebody is.
async fn two_teams(app: &TestApp) -> (TeamId, TeamId, Member) {
    let mut connection = app.database.db().diesel().await.unwrap();
    let mut make = async |slug: &str, name: &str| {
        let made = store::teams::create(&mut connection, OWN, slug, name).await;
        made.unwrap().id
    };
    let (theirs, own) = (make("theirs", "Theirs").await, make("own", "Own").await);
    let eve = app.member(OWN, Role::Member, "eve").await;
    store::teams::set_member(&mut connection, OWN, own, eve.user, TeamRole::Editor)
        .await
        .unwrap();
    (theirs, own, eve)
}

/// Cross-site request forgery: a form of another site that is sent with the cookie of somebody who is signed in.
#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let app = TestApp::start().await;
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = no_redirects().post(format!("{}/api/teams/make", app.url));
        let request = request
            .header("cookie", &app.owner.cookie)
            .header(name, value)
            .form(&[("name", "Forged")]);
        assert_eq!(request.send().await.unwrap().status(), 403, "{name}: {value}");
    }
    let mut connection = app.database.db().diesel().await.unwrap();
    assert!(store::teams::list(&mut connection, OWN).await.unwrap().is_empty());
}

/// Requests that change something by GET, which a picture of another site would send.
#[tokio::test]
async fn nothing_is_changed_by_get() {
    let app = TestApp::start().await;
    for route in server::web::routes::FUNCTIONS
        .iter()
        .filter(|r| r.method == axum::http::Method::POST)
    {
        let request = no_redirects()
            .get(format!("{}{}", app.url, route.path))
            .header("cookie", &app.owner.cookie);
        assert_eq!(request.send().await.unwrap().status(), 404, "{}", route.path);
    }
}

/// Permission checked on create but not on update: an editor of one team changes what another team has, by its id.
#[tokio::test]
async fn whoever_may_make_something_may_not_change_everything() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let (theirs, own, eve) = two_teams(&app).await;
    let pipeline = app.pipeline("theirs", value_mapping()).await;
    store::pipelines::set_team(&mut connection, OWN, pipeline.id, Some(theirs))
        .await
        .unwrap();
    app.running().state.catalog.reload().await.unwrap();
    let key = app
        .submit(
            &eve.cookie,
            "/api/keys/make",
            &[("name", "k"), ("scope", "write"), ("team", &theirs.to_string())],
        )
        .await;
    assert!(key.notice.unwrap().failed, "no key for what she does not see");
    let all = app
        .submit(
            &eve.cookie,
            "/api/keys/make",
            &[("name", "k"), ("scope", "read"), ("team", "")],
        )
        .await;
    assert_eq!(
        all.notice.unwrap().field.as_deref(),
        Some("team"),
        "nor one for all teams"
    );
    let mine = app
        .submit(
            &eve.cookie,
            "/api/keys/make",
            &[("name", "k"), ("scope", "write"), ("team", &own.to_string())],
        )
        .await;
    let mine = mine.notice.unwrap().once.remove(0);
    let stats = app
        .client
        .get(format!("{}/api/v1/pipelines/theirs/stats", app.url))
        .bearer_auth(mine);
    assert_eq!(
        stats.send().await.unwrap().status(),
        404,
        "what she does not see is not there"
    );
}

/// Other tenants' things by their ids.
#[tokio::test]
async fn an_id_of_another_tenant_is_not_found() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let other = store::organizations::create(&mut connection, "other", "Other")
        .await
        .unwrap()
        .id;
    let stranger = app.member(other, Role::Owner, "stranger").await;
    let team = store::teams::create(&mut connection, other, "theirs", "Theirs")
        .await
        .unwrap()
        .id
        .to_string();
    let fields = [
        ("name", "k"),
        ("scope", "read"),
        ("team", team.as_str()),
        ("service", "true"),
    ];
    let key = app.submit(&app.owner.cookie, "/api/keys/make", &fields).await;
    assert!(key.said().contains("no team named"), "{}", key.said());
    let pipeline = app.pipeline("mine", value_mapping()).await;
    for path in [
        format!("/pipelines/{}", pipeline.id),
        "/pipelines/mine".to_owned(),
        format!("/reconcile?pipeline={}", pipeline.id),
    ] {
        assert_eq!(app.page_of(&stranger, &path).await.status(), 404, "{path}");
    }
    let theirs = store::teams::create(&mut connection, OWN, "t", "T").await.unwrap().id;
    let deleted = app
        .submit(&stranger.cookie, "/api/teams/delete", &[("team", &theirs.to_string())])
        .await;
    assert!(deleted.notice.unwrap().failed);
    let taken = app
        .submit(
            &stranger.cookie,
            "/api/people/remove",
            &[("user", &app.owner.user.to_string())],
        )
        .await;
    assert!(taken.notice.unwrap().failed);
    // A key of another tenant sends nothing here, by slug or by id.
    let key = app.api_key(other, dash_model::account::Scope::Admin, None).await;
    for name in ["mine".to_owned(), pipeline.id.to_string()] {
        let request = app
            .client
            .post(format!("{}/api/v1/ingest/{name}", app.url))
            .bearer_auth(&key)
            .body("{}");
        assert_eq!(request.send().await.unwrap().status(), 404, "{name}");
    }
}

/// Stored cross-site scripting through names, field names and tag values.
#[tokio::test]
async fn what_people_and_records_say_is_text() {
    let app = TestApp::start().await;
    let evil = "<img src=x onerror=alert(1)>";
    app.submit(&app.owner.cookie, "/api/organization/name", &[("name", evil)])
        .await;
    app.submit(&app.owner.cookie, "/api/teams/make", &[("name", evil)])
        .await;
    app.submit(
        &app.owner.cookie,
        "/api/account/name",
        &[("name", "</script><script>alert(1)</script>")],
    )
    .await;
    let pipeline = app.pipeline("evil", value_mapping()).await;
    let event =
        serde_json::json!({"at": 1_700_000_000_000_i64, "value": 1, "sensor": evil, "<script>alert(1)</script>": evil});
    app.post(&pipeline, event.to_string()).send().await.unwrap();
    app.post(&pipeline, r#"{"at":1,"value":"</script><script>alert(1)</script>"}"#)
        .send()
        .await
        .unwrap();
    app.settled(&pipeline).await;
    for path in [
        "/",
        "/account",
        "/organization",
        "/organization?tab=teams",
        "/organization?tab=audit",
        "/pipelines/evil",
        "/pipelines/evil?tab=quarantine",
        "/pipelines/evil?tab=events",
    ] {
        let html = app.page(path).await.text().await.unwrap();
        assert!(!html.contains("<img src=x"), "{path}");
        assert!(!html.contains("<script>alert"), "{path}");
    }
}

/// A link that leads elsewhere after sign-in.
#[tokio::test]
async fn sign_in_leads_to_this_site_alone() {
    let app = TestApp::start().await;
    for to in [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "/%0d%0aSet-Cookie:x",
    ] {
        let page = app.client.get(format!("{}/sign-in", app.url));
        let html = text(page.query(&[("to", to)])).await;
        assert!(
            !html.contains("value=\"https://evil") && !html.contains("value=\"//evil"),
            "{to}"
        );
    }
    let ada = app.member(OWN, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    let fields = [
        ("email", ada.email.as_str()),
        ("password", PASSWORD),
        ("to", "//evil.test"),
    ];
    assert_eq!(app.submit("", "/api/sign-in", &fields).await.to, "/");
}

/// Host header injection: links in letters to whatever host the request named.
#[tokio::test]
async fn links_in_letters_name_this_server_whatever_host_was_asked() {
    let app = TestApp::with(&[("DASH_URL", "https://dash.example.org")]).await;
    let request = app.client.get(&app.url).header("host", "evil.test");
    assert_eq!(request.send().await.unwrap().status(), 403);
    let request = app
        .client
        .get(&app.url)
        .header("x-forwarded-host", "evil.test")
        .header("accept", "text/html");
    assert!(!text(request).await.contains("evil.test"));
    let page = app
        .client
        .get(&app.url)
        .header("host", "dash.example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000");
}

/// Behind TLS the session's cookie is for https, this host and the server alone.
#[tokio::test]
async fn the_cookie_of_a_session_is_guarded() {
    let app = TestApp::with(&[
        ("DASH_URL", "https://dash.example.org"),
        ("DASH_SMTP_URL", "smtp://127.0.0.1:9?tls=none"),
        ("DASH_MAIL_FROM", "dash@example.org"),
    ])
    .await;
    let ada = app.member(OWN, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    let response = no_redirects()
        .post(format!("{}/api/sign-in", app.url))
        .header("host", "dash.example.org")
        .header("origin", "https://dash.example.org")
        .header("accept", "text/html")
        .form(&[("email", ada.email.as_str()), ("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    let cookies: Vec<&str> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    let session = cookies
        .iter()
        .find(|c| c.starts_with("__Host-dash="))
        .expect("a session");
    for guard in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(session.contains(guard), "{session}");
    }
    assert!(!session.contains("Domain"), "{session}");
}

/// Private answers in caches, content that is guessed, pages within pages.
#[tokio::test]
async fn answers_say_how_they_may_be_used() {
    let app = TestApp::start().await;
    app.pipeline("mine", value_mapping()).await;
    for path in [
        "/",
        "/pipelines",
        "/account",
        "/api/pipelines",
        "/organization/audit.csv",
    ] {
        let headers = app.page(path).await.headers().clone();
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
    }
    let policy = app.page("/account").await.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
        "{policy}"
    );
    let stats = app
        .client
        .get(format!("{}/api/v1/pipelines/mine/stats", app.url))
        .bearer_auth(&app.reader);
    assert_eq!(stats.send().await.unwrap().headers()["cache-control"], "no-store");
}

/// Log injection: a name with line breaks would write lines of its own.
#[tokio::test]
async fn names_have_no_lines() {
    let app = TestApp::start().await;
    let done = app
        .submit(
            &app.owner.cookie,
            "/api/teams/make",
            &[("name", "a\r\n2026-01-01 ERROR forged")],
        )
        .await;
    assert_eq!(done.said(), "The team a 2026-01-01 ERROR forged is made.");
    let done = app
        .submit(
            &app.owner.cookie,
            "/api/people/invite",
            &[("email", "a@example.org\r\nBcc: b@example.org"), ("role", "member")],
        )
        .await;
    assert_eq!(done.notice.unwrap().field.as_deref(), Some("email"));
}

/// The address of whoever asks is what the connection says, unless a proxy is trusted.
#[tokio::test]
async fn nobody_chooses_the_address_that_they_are_counted_by() {
    let app = TestApp::start().await;
    let ask = async |n: usize| {
        let request = no_redirects()
            .post(format!("{}/api/sign-in", app.url))
            .header("origin", &app.url)
            .header("x-forwarded-for", format!("203.0.113.{}", n % 250))
            .form(&[("email", format!("a{n}@example.org")), ("password", "x".into())]);
        request.send().await.unwrap().status().as_u16()
    };
    let mut last = 0;
    for n in 0..70 {
        last = ask(n).await;
    }
    assert_eq!(last, 429);
}

/// Keys that are guessed: too many from one address are slowed down, and nobody else is.
#[tokio::test]
async fn whoever_tries_keys_is_slowed_down() {
    let app = TestApp::with(&[("DASH_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let pipeline = app.pipeline("mine", value_mapping()).await;
    let send = async |from: &str, key: Option<&str>| {
        let request = app.client.post(format!("{}/api/v1/ingest/mine", app.url));
        let request = request
            .header("x-forwarded-for", from)
            .body(r#"{"at":1700000000000,"value":1}"#);
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.unwrap()
    };
    let (guesser, other) = ("203.0.113.7", "203.0.113.8");
    let mut refused = None;
    for n in 0..2_000 {
        let guess = format!("dash_ingest_{n}");
        let answer = send(guesser, (n % 2 == 0).then_some(guess.as_str())).await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status(), 401);
    }
    let refused = refused.expect("so many keys are too many");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.headers()["cache-control"], "no-store");
    assert_eq!(send(other, Some("dash_nonsense")).await.status(), 401, "counted apart");
    let right = send(guesser, Some(&pipeline.ingest_key)).await;
    assert_eq!(right.status(), 202, "whoever shares the address is not locked out");
}

/// Names that are none, which anybody may ask for: they would have all pipelines read with each request.
#[tokio::test]
async fn names_that_are_none_are_looked_up_together_and_not_without_end() {
    let app = TestApp::start().await;
    app.pipeline("mine", value_mapping()).await;
    let status = async |name: &str| {
        let request = app.client.get(format!("{}/api/v1/pipelines/{name}/stats", app.url));
        request.bearer_auth(&app.reader).send().await.unwrap().status()
    };
    let began = std::time::Instant::now();
    for _ in 0..6 {
        assert_eq!(status("none").await, 404);
    }
    assert!(
        began.elapsed() >= std::time::Duration::from_millis(500),
        "one after the other waits"
    );
    let began = std::time::Instant::now();
    futures::future::join_all((0..50).map(|_| status("none"))).await;
    assert!(
        began.elapsed() < std::time::Duration::from_secs(3),
        "those at once wait together"
    );
    // What another process has made is there at once, whatever was read a moment ago.
    let client = app.database.client().await.unwrap();
    for slug in ["moved", "once-more"] {
        let sql = format!("UPDATE pipelines SET slug = '{slug}'");
        client.batch_execute(&sql).await.unwrap();
        assert_eq!(status(slug).await, 200);
    }
}

/// A dashboard "Board" of this team, which asks one metric.
async fn board(app: &TestApp, organization: OrganizationId, team: Option<TeamId>, pipeline: &str) {
    let board = json!({
        "id": uuid::Uuid::now_v7(), "slug": "board", "title": "Board", "description": "", "range": {"kind": "all"}, "team": team,
        "widgets": [{
            "id": "w", "title": "Secret line", "kind": "line", "columns": 6, "rows": 3,
            "queries": [{"label": "w", "query": {"pipeline": pipeline, "metric": "value"}}],
        }],
    });
    let board: Dashboard = serde_json::from_value(board).unwrap();
    let mut connection = app.database.db().diesel().await.unwrap();
    store::dashboards::upsert(&mut connection, organization, &board, 0)
        .await
        .unwrap();
}

/// Confused deputy: somebody shows everybody, by a dashboard of theirs, what they do not see themselves.
#[tokio::test]
async fn nobody_shares_what_they_do_not_see() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let (theirs, own, eve) = two_teams(&app).await;
    let pipeline = app.pipeline("theirs", value_mapping()).await;
    store::pipelines::set_team(&mut connection, OWN, pipeline.id, Some(theirs))
        .await
        .unwrap();
    app.running().state.catalog.reload().await.unwrap();
    board(&app, OWN, Some(own), "theirs").await;
    let share = async |cookie: &str, public: &str| {
        let fields = [("slug", "board"), ("public", public)];
        app.submit(cookie, "/api/dashboard/share", &fields).await
    };
    let give = async |team: &str| {
        let fields = [("pipeline", "theirs"), ("team", team)];
        app.submit(&app.owner.cookie, "/api/pipeline/team", &fields).await
    };
    let asked = async |cookie: &str| {
        let request = no_redirects()
            .post(format!("{}/api/query", app.url))
            .header("origin", &app.url)
            .header("accept", "application/json")
            .header("cookie", cookie);
        let spec = json!({
            "query": {"pipeline": "theirs", "metric": "value"}, "range": {"kind": "all"}, "shape": {"kind": "total"},
        });
        let answer = request.json(&json!({"specs": [spec]})).send().await.unwrap();
        answer.text().await.unwrap()
    };

    let refused = share(&eve.cookie, "true").await;
    assert!(refused.said().contains("\"Secret line\""), "{}", refused.said());
    assert!(!refused.said().contains("theirs"), "{}", refused.said());
    assert!(asked("").await.contains("SignIn"));
    assert!(asked(&eve.cookie).await.contains("NotFound"));

    // An admin sees it all; then nobody sees more than she does.
    let shared = share(&app.owner.cookie, "true").await;
    assert!(shared.said().contains("Everybody"), "{}", shared.said());
    for cookie in ["", eve.cookie.as_str()] {
        let answer = asked(cookie).await;
        assert!(answer.contains("\"Ok\""), "{answer}");
    }

    // What everybody sees does not become a team's.
    let kept = give(&own.to_string()).await;
    assert!(kept.said().contains("stop sharing \"Board\""), "{}", kept.said());
    let now = store::pipelines::by_id(&mut connection, pipeline.id).await.unwrap();
    assert_eq!(now.unwrap().team, Some(theirs));
    let stopped = share(&eve.cookie, "false").await;
    assert!(stopped.said().contains("no longer shared"), "{}", stopped.said());
    assert!(asked(&eve.cookie).await.contains("NotFound"));
    assert_eq!(give(&own.to_string()).await.said(), "The pipeline belongs to Own now.");
    let shared = share(&eve.cookie, "true").await;
    assert!(shared.said().contains("Everybody"), "it is hers: {}", shared.said());
}

/// Nobody without an account looks at another organization than the first: it is not said that they do.
#[tokio::test]
async fn only_the_first_organization_shares_with_everybody() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let other = store::organizations::create(&mut connection, "other", "Other")
        .await
        .unwrap()
        .id;
    let stranger = app.member(other, Role::Owner, "stranger").await;
    for organization in [OWN, other] {
        board(&app, organization, None, "value").await;
    }
    let fields = [("slug", "board"), ("public", "true")];
    let refused = app.submit(&stranger.cookie, "/api/dashboard/share", &fields).await;
    assert!(refused.said().contains("first organization"), "{}", refused.said());
    let theirs = app.page_of(&stranger, "/dashboards/board").await.text().await.unwrap();
    let own = app.page("/dashboards/board").await.text().await.unwrap();
    let button = "action=\"/api/dashboard/share\"";
    assert!(own.contains(button) && !theirs.contains(button), "{theirs}");
}
