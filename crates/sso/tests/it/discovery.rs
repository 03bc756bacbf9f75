//! Providers describe themselves; that is asked for when it is needed, and not more often.

use std::time::Duration;

use dash_sso::{Fault, Flaw, Http, Provider, Providers, SsoError};
use serde_json::json;
use tokio::time::advance;

use crate::fake::{Fake, ISSUER, REDIRECT, Script, Signed};

const DESCRIPTION: &str = "/.well-known/openid-configuration";

async fn detail(change: impl FnOnce(&mut Script)) -> String {
    let fake = Fake::new();
    fake.change(change);
    let http: &dyn Http = &*fake;
    let config = Fake::config().remove(0);
    let error = Provider::discover(config, http).await.expect_err("refused");
    assert_eq!(error.fault(), Fault::Provider);
    error.detail().expect("a detail")
}

#[tokio::test]
async fn a_description_that_does_not_fit_says_what_to_do() {
    let slash = detail(|s| s.description["issuer"] = json!(format!("{ISSUER}/"))).await;
    assert!(slash.contains("as the provider does"), "{slash}");
    let nowhere = detail(|s| s.unreachable = true).await;
    assert!(nowhere.contains("nobody listens there"), "{nowhere}");
    for field in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
    ] {
        let clear = detail(|s| s.description[field] = json!("http://login.example/keys")).await;
        assert!(clear.contains(field), "{clear}");
        let here = detail(|s| s.description[field] = json!("http://localhost/keys")).await;
        assert!(here.contains(field), "{here}");
    }
    let none = detail(|s| s.description["token_endpoint"] = json!(null)).await;
    assert!(none.contains("token_endpoint"), "{none}");
    let broken = detail(|s| s.description["jwks_uri"] = json!(7)).await;
    assert!(broken.contains("jwks_uri"), "{broken}");
    let shared = detail(|s| s.description["id_token_signing_alg_values_supported"] = json!(["HS256", "none"])).await;
    assert!(shared.contains("ES256"), "{shared}");
}

#[tokio::test]
async fn a_secret_goes_where_the_provider_takes_it() {
    for (methods, header) in [
        (json!(["client_secret_post"]), false),
        (json!(["client_secret_post", "client_secret_basic"]), true),
        (json!(["private_key_jwt"]), true),
    ] {
        let fake = Fake::new();
        fake.change(|s| s.description["token_endpoint_auth_methods_supported"] = methods.clone());
        fake.sign_in().await.expect("signed in");
        let (form, authorized) = fake.last_form.lock().expect("a lock").clone();
        assert_eq!(authorized, header, "{methods}");
        assert_eq!(form.iter().any(|(n, _)| n == "client_secret"), !header, "{methods}");
    }
}

#[tokio::test]
async fn a_provider_that_promises_its_issuer_has_to_say_it() {
    let fake = Fake::new();
    fake.change(|s| s.description["authorization_response_iss_parameter_supported"] = json!(true));
    assert_eq!(fake.sign_in().await, Err(SsoError::Issuer));
    assert_eq!(fake.count("/token"), 0, "the code was not given away");
    let providers = Providers::new(Fake::config(), fake.clone());
    let begun = providers
        .begin("fake", &REDIRECT.parse().expect("a URL"))
        .await
        .expect("begun");
    let mut callback = fake.visit(&begun);
    callback.iss = Some(ISSUER.to_owned());
    providers.finish(begun.pending, &callback).await.expect("signed in");
}

#[tokio::test(start_paused = true)]
async fn a_description_is_believed_for_an_hour() {
    let fake = Fake::new();
    let providers = Providers::new(Fake::config(), fake.clone());
    assert_eq!(fake.count(DESCRIPTION), 0);
    for _ in 0..3 {
        fake.sign_in_at(&providers).await.expect("signed in");
    }
    assert_eq!(fake.count(DESCRIPTION), 1);
    advance(Duration::from_secs(3_601)).await;
    fake.sign_in_at(&providers).await.expect("signed in");
    assert_eq!(fake.count(DESCRIPTION), 2);
    let nobody = providers.begin("nobody", &REDIRECT.parse().expect("a URL")).await;
    assert_eq!(nobody.expect_err("no such provider"), SsoError::NoProvider);
}

#[tokio::test(start_paused = true)]
async fn a_good_description_outlives_a_provider_that_gives_none() {
    let fake = Fake::new();
    let providers = Providers::new(Fake::config(), fake.clone());
    let begin = async || {
        providers
            .begin("fake", &REDIRECT.parse().expect("a URL"))
            .await
            .map(|_| ())
    };
    fake.sign_in_at(&providers).await.expect("signed in");
    advance(Duration::from_secs(3_601)).await;
    fake.change(|s| s.unreachable = true);
    for _ in 0..3 {
        assert_eq!(begin().await, Ok(()));
    }
    assert_eq!(fake.count(DESCRIPTION), 2, "it is left alone for a while");
    advance(Duration::from_secs(11)).await;
    assert_eq!(begin().await, Ok(()));
    assert_eq!(fake.count(DESCRIPTION), 3);
    // Back, but for its description.
    fake.change(|s| {
        s.unreachable = false;
        s.description["issuer"] = json!("https://evil.example");
    });
    advance(Duration::from_secs(11)).await;
    fake.sign_in_at(&providers).await.expect("signed in");
    assert_eq!(fake.count(DESCRIPTION), 4);
    fake.change(|s| s.description["issuer"] = json!(ISSUER));
    advance(Duration::from_secs(11)).await;
    fake.sign_in_at(&providers).await.expect("signed in");
    advance(Duration::from_secs(3_500)).await;
    fake.sign_in_at(&providers).await.expect("signed in");
    assert_eq!(fake.count(DESCRIPTION), 5, "believed for an hour again");
}

#[tokio::test(start_paused = true)]
async fn new_keys_are_fetched_and_used_for_the_same_answer() {
    let fake = Fake::new();
    let providers = Providers::new(Fake::config(), fake.clone());
    fake.sign_in_at(&providers).await.expect("signed in");
    fake.change(|s| {
        s.signed = Signed::Key(1);
        s.published = 2;
    });
    advance(Duration::from_secs(11)).await;
    fake.sign_in_at(&providers).await.expect("with the new key");
    assert_eq!((fake.count(DESCRIPTION), fake.count("/token")), (2, 2));
    // A key that is never published is not asked for again and again.
    fake.change(|s| s.signed = Signed::Key(2));
    for _ in 0..3 {
        let error = fake.sign_in_at(&providers).await.expect_err("unknown");
        assert!(matches!(
            error,
            SsoError::Untrusted {
                flaw: Flaw::UnknownKey,
                ..
            }
        ));
    }
    assert_eq!(fake.count(DESCRIPTION), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_left_alone_for_a_while() {
    let fake = Fake::new();
    fake.change(|s| s.unreachable = true);
    let providers = Providers::new(Fake::config(), fake.clone());
    for _ in 0..3 {
        fake.sign_in_at(&providers).await.expect_err("down");
    }
    assert_eq!(fake.count(DESCRIPTION), 1);
    fake.change(|s| s.unreachable = false);
    advance(Duration::from_secs(11)).await;
    fake.sign_in_at(&providers).await.expect("signed in");
}
