//! What nobody has any more does nothing any more: a role, a session, an organization that is no longer looked at.

use axum::http::HeaderMap;
use dash_db::store;
use dash_model::{DEFAULT_ORGANIZATION as OWN, account::OrganizationRole as Role};
use server::access::caller::Caller;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{letter, letters, token};
use crate::util::{PASSWORD, TestApp};

/// The rights of a request are not those of the moment when it began, which whoever sends it chooses.
#[tokio::test]
async fn a_request_that_is_held_open_has_the_rights_of_its_end() {
    let app = TestApp::start().await;
    let ada = app.member(OWN, Role::Admin, "ada").await;
    let address = app.url.strip_prefix("http://").unwrap();
    let mut held = TcpStream::connect(address).await.unwrap();
    let (body, cookie, url) = ("email=eve%40example.org&role=admin", &ada.cookie, &app.url);
    let head = format!(
        "POST /api/people/invite HTTP/1.1\r\nHost: {address}\r\nOrigin: {url}\r\nCookie: {cookie}\r\nAccept: text/html\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let (begins, ends) = body.split_at(body.len() - 1);
    held.write_all(format!("{head}{begins}").as_bytes()).await.unwrap();
    held.flush().await.unwrap();
    // Long enough for the server to have read the head.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let removed = app
        .submit(
            &app.owner.cookie,
            "/api/people/remove",
            &[("user", &ada.user.to_string())],
        )
        .await;
    assert!(removed.said().contains("no longer belongs"), "{}", removed.said());
    held.write_all(ends.as_bytes()).await.unwrap();
    let mut answer = String::new();
    held.read_to_string(&mut answer).await.unwrap();
    assert!(answer.to_lowercase().contains("location: /sign-in"), "{answer}");
    assert_eq!(letters(&app, "eve@example.org").await, 0);
}

/// A request on its way gives a session that was ended no new id, under which it would live on.
#[tokio::test]
async fn a_session_that_was_ended_gets_no_other_id() {
    let app = TestApp::start().await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let mut caller = Caller::nobody(None, &HeaderMap::new());
    caller.hash = Some([9; 32]);
    let kept = store::sessions::Kept {
        user: Some(app.owner.user),
        data: serde_json::json!({}),
        expires_at: dash_model::Micros(server::clock::now().0 + 60_000_000),
    };
    store::sessions::create(&mut connection, &[9; 32], &kept).await.unwrap();
    caller.give_up(&mut connection).await.unwrap();
    assert_eq!(
        caller.give_up(&mut connection).await,
        Err(app::AppError::SignIn),
        "of two requests at once one has it"
    );
}

/// An owner who is about to lose their place invites themselves under another address.
#[tokio::test]
async fn invitations_fall_with_whoever_sent_them() {
    let app = TestApp::start().await;
    for (name, form) in [("ada", "/api/people/remove"), ("bob", "/api/people/role")] {
        let who = app.member(OWN, Role::Admin, name).await;
        let back = format!("{name}-again@example.org");
        let fields = [("email", back.as_str()), ("role", "admin")];
        let invited = app.submit(&who.cookie, "/api/people/invite", &fields).await;
        assert!(invited.said().contains("is invited"), "{}", invited.said());
        let token = token(&letter(&app, &back).await);
        let fields = [("user", &*who.user.to_string()), ("role", "member")];
        let lost = app.submit(&app.owner.cookie, form, &fields).await;
        assert!(!lost.notice.unwrap().failed);
        let fields = [("token", token.as_str()), ("name", "Again"), ("password", PASSWORD)];
        let joined = app.submit("", "/api/invitation/join", &fields).await;
        assert!(joined.said().contains("does not work any more"), "{}", joined.said());
    }
}

/// Two tabs: one still shows an organization that the other has left for another one.
#[tokio::test]
async fn a_form_acts_in_the_organization_that_its_page_showed() {
    let app = TestApp::start().await;
    let other = uuid::Uuid::now_v7().to_string();
    let page = app.page("/organization").await.text().await.unwrap();
    assert!(
        page.contains(r#"name="_organization""#) && page.contains(&OWN.to_string()),
        "its forms say of which organization they are"
    );
    let fields = |of: String| {
        [
            ("email", "eve@example.org".to_owned()),
            ("role", "member".to_owned()),
            ("_organization", of),
        ]
    };
    let invite = async |of: String| {
        let fields = fields(of);
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        app.submit(&app.owner.cookie, "/api/people/invite", &fields).await
    };
    let refused = invite(other).await;
    assert!(refused.said().contains("another organization"), "{}", refused.said());
    assert_eq!(letters(&app, "eve@example.org").await, 0);
    let invited = invite(OWN.to_string()).await;
    assert!(invited.said().contains("is invited"), "{}", invited.said());
}

/// Whoever signs up before the operator does not take the first organization's owner away, or its place.
#[tokio::test]
async fn signing_up_does_not_use_up_the_link_of_the_console() {
    let app = TestApp::with(&[("DASH_SIGN_UP", "open")]).await;
    let client = app.database.client().await.unwrap();
    client.batch_execute("TRUNCATE users CASCADE").await.unwrap();
    app.running().state.accounts.forget();
    let early = app
        .submit("", "/api/sign-up", &[("name", "Early"), ("email", "early@example.org")])
        .await;
    assert!(!early.notice.as_ref().unwrap().failed, "{}", early.said());
    app.running().state.accounts.forget();
    let link = server::accounts::set_up::link(&app.running().state).await.unwrap();
    let link = link.expect("a link");
    let fields = [
        ("token", link.split_once("token=").unwrap().1),
        ("name", "Ada"),
        ("email", "ada@example.org"),
        ("password", PASSWORD),
        ("organization", "Engines"),
    ];
    let done = app.submit("", "/api/set-up", &fields).await;
    assert_eq!(done.to, "/", "{}", done.said());
    let link = server::accounts::set_up::link(&app.running().state).await.unwrap();
    assert!(link.is_none(), "there is an owner now");
}

/// Another way in outlives the session that it is added in: whoever only found a browser open adds none.
#[tokio::test]
async fn a_way_in_is_added_soon_after_a_sign_in_alone() {
    let app = TestApp::with(&[("DASH_URL", "http://localhost:1")]).await;
    let add = async || {
        let fields = [("name", "Laptop"), ("response", "{}")];
        app.submit(&app.owner.cookie, "/api/passkeys/add", &fields).await
    };
    let soon = add().await;
    assert!(
        soon.said().contains("took too long"),
        "nothing was begun: {}",
        soon.said()
    );
    let client = app.database.client().await.unwrap();
    let hour_ago = server::clock::now().0 - 3_600_000_000;
    let sql = format!("UPDATE sessions SET data = jsonb_set(data, '{{in,since}}', '{hour_ago}')");
    client.batch_execute(&sql).await.unwrap();
    let late = add().await;
    assert!(late.said().contains("out and in again first"), "{}", late.said());
}
