use dash_db::store;
use dash_model::account::OrganizationRole as Role;

use super::{letter, letters, token};
use crate::util::{PASSWORD, TestApp, text};

#[tokio::test]
async fn a_link_by_mail_signs_in_once_and_only_when_its_button_is_pressed() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    let ask = async |email: &str| app.submit("", "/api/link/ask", &[("email", email)]).await;
    let (known, unknown) = (ask("ADA@example.org").await, ask("nobody@example.org").await);
    assert_eq!(known.said(), unknown.said());
    assert_eq!(letters(&app, "nobody@example.org").await, 0);
    let message = letter(&app, &ada.email).await;
    let token = token(&message);
    // Scanners of mail open it, several times.
    for _ in 0..3 {
        let page = app
            .client
            .get(format!("{}/link?token={token}", app.url))
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), 200);
    }
    let done = app
        .submit("", "/api/link/sign-in", &[("token", &token), ("to", "/pipelines")])
        .await;
    assert_eq!(done.to, "/pipelines", "{}", done.said());
    assert!(
        app.submit("", "/api/link/sign-in", &[("token", &token)])
            .await
            .said()
            .contains("does not work any more")
    );
    let page = app
        .client
        .get(format!("{}/link?token={token}", app.url))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 410);
    // One purpose only.
    ask(&ada.email).await;
    let token = super::token(&letter(&app, &ada.email).await);
    let fields = [("token", token.as_str()), ("password", PASSWORD)];
    assert!(
        app.submit("", "/api/reset", &fields)
            .await
            .said()
            .contains("does not work any more")
    );
}

#[tokio::test]
async fn a_reset_signs_out_everywhere_and_a_weak_password_does_not_use_it_up() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    app.submit("", "/api/reset/ask", &[("email", &ada.email)]).await;
    let token = token(&letter(&app, &ada.email).await);
    let reset = async |password: &str| {
        app.submit("", "/api/reset", &[("token", token.as_str()), ("password", password)])
            .await
    };
    let weak = reset("ada ada ada").await;
    assert_eq!(weak.notice.unwrap().field.as_deref(), Some("password"));
    let done = reset("seven green llamas juggle").await;
    assert!(done.said().contains("changed"), "{}", done.said());
    let mut connection = app.database.db().diesel().await.unwrap();
    let devices = store::sessions::devices(&mut connection, ada.user, server::clock::now())
        .await
        .unwrap();
    assert_eq!(devices.len(), 1, "only the one that has reset it");
    assert_ne!(devices[0].hash, ada.hash);
}

/// Account pre-hijacking: somebody signs up with the address of somebody else, and waits until that one makes the account ready.
#[tokio::test]
async fn whoever_signs_up_with_anothers_address_has_no_password_there() {
    let app = TestApp::with(&[("DASH_SIGN_UP", "open")]).await;
    let sign_up = async |name: &str| {
        let fields = [("name", name), ("email", "Victim@example.org")];
        app.submit("", "/api/sign-up", &fields).await
    };
    let first = sign_up("Eve").await;
    assert_eq!(first.to, "/sign-in");
    let again = sign_up("Victim").await;
    assert_eq!(first.said(), again.said());
    let token = token(&letter(&app, "Victim@example.org").await);
    let mut connection = app.database.db().diesel().await.unwrap();
    let user = store::users::by_email(&mut connection, "victim@example.org")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((user.password_hash, user.email_confirmed_at), (None, None));
    let done = app
        .submit("", "/api/link/confirm", &[("token", &token), ("password", PASSWORD)])
        .await;
    assert_eq!(done.to, "/", "{}", done.said());
    let belongs = store::users::organizations(&mut connection, user.id, server::clock::now())
        .await
        .unwrap();
    assert_eq!(
        (belongs.len(), belongs[0].role),
        (1, Role::Owner),
        "an organization of their own"
    );
    // Now the address has an account: only the letter says so.
    let third = sign_up("Eve").await;
    assert_eq!(third.said(), first.said());
    assert!(letter(&app, "Victim@example.org").await.text.contains("/reset"));
}

#[tokio::test]
async fn whoever_signs_up_with_anothers_address_does_not_keep_links_from_them() {
    let app = TestApp::with(&[("DASH_SIGN_UP", "open")]).await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    let fields = [("name", "Eve"), ("email", ada.email.as_str())];
    let mut said = String::new();
    for _ in 0..6 {
        said = app.submit("", "/api/sign-up", &fields).await.said().to_owned();
    }
    assert!(said.contains("too often"), "{said}");
    app.submit("", "/api/link/ask", &[("email", &ada.email)]).await;
    let message = letter(&app, &ada.email).await;
    assert!(message.text.contains("/link?token="), "{}", message.text);
}

#[tokio::test]
async fn nobody_signs_up_where_people_are_invited() {
    let app = TestApp::start().await;
    let fields = [("name", "Eve"), ("email", "eve@example.org")];
    let refused = app.submit("", "/api/sign-up", &fields).await;
    assert!(refused.said().contains("invitation"), "{}", refused.said());
    let page = text(app.client.get(format!("{}/sign-up", app.url))).await;
    assert!(page.contains("by invitation"));
}

#[tokio::test]
async fn an_invitation_leads_a_newcomer_and_an_old_hand_in() {
    let app = TestApp::start().await;
    let invite = async |email: &str, role: &str| {
        app.submit(
            &app.owner.cookie,
            "/api/people/invite",
            &[("email", email), ("role", role)],
        )
        .await
    };
    invite("new@example.org", "member").await;
    let token = token(&letter(&app, "new@example.org").await);
    let page = text(app.client.get(format!("{}/invitation?token={token}", app.url))).await;
    assert!(
        page.contains("Join Default") && page.contains("new@example.org"),
        "{page}"
    );
    let fields = [("token", token.as_str()), ("name", "Newcomer"), ("password", PASSWORD)];
    let done = app.submit("", "/api/invitation/join", &fields).await;
    assert_eq!(done.to, "/", "{}", done.said());
    assert!(
        app.submit("", "/api/invitation/join", &fields)
            .await
            .notice
            .unwrap()
            .failed,
        "once"
    );

    // Somebody with an account elsewhere, and somebody else who has found the letter.
    let mut connection = app.database.db().diesel().await.unwrap();
    let elsewhere = store::organizations::create(&mut connection, "elsewhere", "Elsewhere")
        .await
        .unwrap()
        .id;
    let bob = app.member(elsewhere, Role::Owner, "bob").await;
    let eve = app.member(elsewhere, Role::Member, "eve").await;
    invite("bob@example.org", "admin").await;
    let token = super::token(&letter(&app, "bob@example.org").await);
    let stolen = app
        .submit(&eve.cookie, "/api/invitation/accept", &[("token", &token)])
        .await;
    assert!(stolen.said().contains("does not work any more"), "it is not hers");
    let done = app
        .submit(&bob.cookie, "/api/invitation/accept", &[("token", &token)])
        .await;
    assert_eq!(done.to, "/", "{}", done.said());
    let role = store::members::role(&mut connection, dash_model::DEFAULT_ORGANIZATION, bob.user)
        .await
        .unwrap();
    assert_eq!(role, Some(Role::Admin));
    // He can look at either.
    let switched = app
        .submit(&done.cookie, "/api/switch", &[("organization", &elsewhere.to_string())])
        .await;
    assert!(switched.said().contains("Elsewhere"), "{}", switched.said());
    let refused = app
        .submit(
            &eve.cookie,
            "/api/switch",
            &[("organization", &dash_model::DEFAULT_ORGANIZATION.to_string())],
        )
        .await;
    assert!(refused.notice.unwrap().failed);
}
