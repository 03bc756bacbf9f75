use dash_db::store;
use dash_model::account::OrganizationRole as Role;

use super::letters;
use crate::util::{PASSWORD, TestApp};

async fn sign_in(app: &TestApp, cookie: &str, email: &str, password: &str) -> crate::util::Submitted {
    let fields = [("email", email), ("password", password), ("to", "/pipelines")];
    app.submit(cookie, "/api/sign-in", &fields).await
}

#[tokio::test]
async fn the_link_on_the_console_makes_the_first_owner_once() {
    let app = TestApp::start().await;
    // As on a first start: nobody is there.
    let client = app.database.client().await.unwrap();
    client.batch_execute("TRUNCATE users CASCADE").await.unwrap();
    app.running().state.accounts.forget();
    let link = server::accounts::set_up::link(&app.running().state)
        .await
        .unwrap()
        .expect("a link");
    let page = app.client.get(format!("{}{link}", app.url)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Welcome to Dash"));
    let token = link.split_once("token=").unwrap().1.to_owned();
    let fill = |password: &'static str| {
        [
            ("token", token.clone()),
            ("name", "Ada".to_owned()),
            ("email", "Ada@Example.org".to_owned()),
            ("password", password.to_owned()),
            ("organization", "Engines".to_owned()),
        ]
    };
    let submit = async |fields: [(&'static str, String); 5]| {
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        app.submit("", "/api/set-up", &fields).await
    };
    let weak = submit(fill("password123")).await;
    assert_eq!(
        weak.notice.as_ref().unwrap().field.as_deref(),
        Some("password"),
        "{}",
        weak.said()
    );
    assert_eq!(weak.notice.unwrap().typed["name"], "Ada", "it need not be typed again");
    let done = submit(fill(PASSWORD)).await;
    assert_eq!((done.status, done.to.as_str()), (303, "/"), "{}", done.said());
    let home = app
        .client
        .get(format!("{}/", app.url))
        .header("cookie", &done.cookie)
        .header("accept", "text/html");
    let home = home.send().await.unwrap().text().await.unwrap();
    assert!(home.contains("Engines") && home.contains("Sign out"), "{home}");
    // Used: the page says so with 410, and so does the form.
    let page = app.client.get(format!("{}{link}", app.url)).send().await.unwrap();
    assert_eq!(page.status(), 410);
    assert!(submit(fill(PASSWORD)).await.said().contains("does not work any more"));
    assert!(
        server::accounts::set_up::link(&app.running().state)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_password_signs_in_under_a_new_id_and_signing_out_ends_it() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    let wrong = sign_in(&app, "", &ada.email, "correct horse battery stable").await;
    let unknown = sign_in(&app, "", "nobody@example.org", PASSWORD).await;
    assert_eq!(wrong.said(), unknown.said(), "the same words for whoever is not there");
    assert!(wrong.notice.as_ref().unwrap().failed);
    assert!(!wrong.cookie.contains("dash="), "no session for nothing");

    // Session fixation: an id that somebody else knows is not kept.
    let fixed = "dash=AAAAAAAAAAAAAAAAAAAAAA";
    let done = sign_in(&app, fixed, "ADA@example.org", PASSWORD).await;
    assert_eq!((done.status, done.to.as_str()), (303, "/pipelines"), "{}", done.said());
    assert!(
        done.cookie.contains("dash=") && !done.cookie.contains(fixed),
        "{}",
        done.cookie
    );
    let page = |cookie: String| {
        let request = app.client.get(format!("{}/account", app.url));
        request.header("cookie", cookie).header("accept", "text/html").send()
    };
    assert!(
        page(done.cookie.clone())
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("ada@example.org")
    );

    let out = app.submit(&done.cookie, "/api/sign-out", &[]).await;
    assert_eq!(out.to, "/");
    // The cookie that somebody copied before does not work either.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let again = client
        .get(format!("{}/account", app.url))
        .header("cookie", &done.cookie)
        .header("accept", "text/html");
    let again = again.send().await.unwrap();
    assert_eq!(again.headers()["location"], "/sign-in?to=/account");
}

#[tokio::test]
async fn whoever_guesses_is_stopped_and_locks_nobody_out() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    // Her own device, where she has signed in before.
    let known = sign_in(&app, "", &ada.email, PASSWORD).await.cookie;
    let known: Vec<&str> = known.split("; ").filter(|c| c.starts_with("dash_known=")).collect();
    let mut said = String::new();
    for _ in 0..12 {
        said = sign_in(&app, "", &ada.email, "wrong wrong wrong")
            .await
            .said()
            .to_owned();
    }
    assert!(said.contains("tried too often"), "{said}");
    let elsewhere = sign_in(&app, "", &ada.email, PASSWORD).await;
    assert!(elsewhere.said().contains("tried too often"));
    let own = sign_in(&app, &known.join("; "), &ada.email, PASSWORD).await;
    assert_eq!(own.to, "/pipelines", "{}", own.said());
    // And by mail from anywhere.
    let asked = app.submit("", "/api/link/ask", &[("email", &ada.email)]).await;
    assert!(!asked.notice.unwrap().failed);
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_says_so_by_mail() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    let (_, other) = crate::util::session(app.database.db(), ada.user, None).await;
    let change = async |current: &str, new: &str| {
        let fields = [("current", current), ("password", new)];
        app.submit(&ada.cookie, "/api/account/password", &fields).await
    };
    let refused = change("wrong", "another correct horse battery").await;
    assert_eq!(refused.notice.unwrap().field.as_deref(), Some("current"));
    let done = change(PASSWORD, "seven green llamas juggle").await;
    assert!(done.said().contains("changed"), "{}", done.said());
    assert_ne!(done.cookie, ada.cookie, "under another id");
    let account = async |cookie: &str| {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let request = client
            .get(format!("{}/account", app.url))
            .header("cookie", cookie)
            .header("accept", "text/html");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(account(&other).await, 302);
    assert_eq!(account(&ada.cookie).await, 302, "the old id of this one, too");
    assert_eq!(account(&done.cookie).await, 200);
    assert_eq!(letters(&app, &ada.email).await, 1);
}

#[tokio::test]
async fn devices_are_listed_and_ended() {
    let app = TestApp::start().await;
    let owner = app.owner.clone();
    let (_, _) = crate::util::session(app.database.db(), owner.user, None).await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let devices = store::sessions::devices(&mut connection, owner.user, server::clock::now())
        .await
        .unwrap();
    let other = devices.iter().find(|d| d.hash != owner.hash).unwrap().id.to_string();
    let bob = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "bob").await;
    let theirs = app
        .submit(&bob.cookie, "/api/account/devices/end", &[("id", &other)])
        .await;
    assert!(theirs.notice.unwrap().failed, "another's device");
    let page = app.page("/account").await.text().await.unwrap();
    assert!(page.contains("this one") && page.contains(&other), "{page}");
    let done = app
        .submit(&owner.cookie, "/api/account/devices/end", &[("id", &other)])
        .await;
    assert_eq!(done.said(), "It is signed out.");
    let left = store::sessions::devices(&mut connection, owner.user, server::clock::now())
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
}
