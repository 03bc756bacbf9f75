use dash_db::store;
use dash_model::account::OrganizationRole as Role;
use secrecy::{ExposeSecret, SecretSlice};

use crate::util::{PASSWORD, TestApp};

/// The code of a secret for the step of this second, as an app computes it.
fn code(secret: &SecretSlice<u8>, seconds: u64) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.expose_secret()).unwrap();
    mac.update(&(seconds / 30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn with_a_second_factor_a_password_alone_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.set_password(ada.user).await;
    let begun = app.submit(&ada.cookie, "/api/account/second-factor/begin", &[]).await;
    assert!(begun.to.starts_with("/account"), "{}", begun.said());
    let page = app.page_of(&ada, "/account").await.text().await.unwrap();
    assert!(
        page.contains("<svg") && page.contains("Type the code that it shows"),
        "{page}"
    );
    let state = &app.running().state;
    let mut connection = state.db.diesel().await.unwrap();
    let secret = store::second_factors::get(&mut connection, &state.vault, ada.user)
        .await
        .unwrap()
        .unwrap()
        .secret;
    let now = u64::try_from(server::clock::now().0 / 1_000_000).unwrap();
    let wrong = app
        .submit(&ada.cookie, "/api/account/second-factor/confirm", &[("code", "000000")])
        .await;
    assert!(wrong.notice.unwrap().failed);
    // The step before now, so that the one of now can still be used.
    let first = code(&secret, now - 30);
    let on = app
        .submit(&ada.cookie, "/api/account/second-factor/confirm", &[("code", &first)])
        .await;
    let recovery = on.notice.as_ref().unwrap().once.clone();
    assert_eq!(recovery.len(), 10, "{}", on.said());

    let sign_in = async || {
        app.submit("", "/api/sign-in", &[("email", &ada.email), ("password", PASSWORD)])
            .await
    };
    let half = sign_in().await;
    assert_eq!(half.to, "/sign-in/code");
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let inside = client
        .get(format!("{}/account", app.url))
        .header("cookie", &half.cookie)
        .header("accept", "text/html");
    assert_eq!(inside.send().await.unwrap().status(), 302, "half a way in is none");
    let enter = async |cookie: &str, code: &str| app.submit(cookie, "/api/sign-in/code", &[("code", code)]).await;
    assert!(enter(&half.cookie, &first).await.notice.unwrap().failed, "used before");
    let done = enter(&half.cookie, &code(&secret, now)).await;
    assert_eq!(done.to, "/", "{}", done.said());
    assert_ne!(done.cookie, half.cookie);

    // The telephone is gone.
    let half = sign_in().await;
    let done = enter(&half.cookie, &recovery[3].to_uppercase()).await;
    assert_eq!(done.to, "/", "{}", done.said());
    let half = sign_in().await;
    assert!(enter(&half.cookie, &recovery[3]).await.notice.unwrap().failed, "once");
    assert!(
        enter("", &recovery[4]).await.notice.unwrap().failed,
        "not without the password"
    );

    // Whoever has the session alone does not switch it off.
    let off = app
        .submit(&done.cookie, "/api/account/second-factor/stop", &[("code", "123456")])
        .await;
    assert!(off.notice.unwrap().failed);
    let off = app
        .submit(
            &done.cookie,
            "/api/account/second-factor/stop",
            &[("code", &recovery[5])],
        )
        .await;
    assert_eq!(off.said(), "The second factor is off.");
}
