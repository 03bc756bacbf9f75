//! What a provider says of somebody is believed or not.

use dash_sso::{Fault, Flaw, Identity, Providers, SsoError};
use http::StatusCode;
use openidconnect::{AccessToken, AccessTokenHash, PrivateSigningKey, core::CoreJwsSigningAlgorithm};
use serde_json::{Value, json};

use crate::fake::{Fake, REDIRECT, SECRET, Script, Signed, key, parameter};

async fn sign_in(change: impl FnOnce(&mut Script)) -> Result<Identity, SsoError> {
    let fake = Fake::new();
    fake.change(change);
    fake.sign_in().await
}

async fn flaw(change: impl FnOnce(&mut Script)) -> Flaw {
    match sign_in(change).await {
        Err(SsoError::Untrusted { flaw, .. }) => flaw,
        other => panic!("{other:?}"),
    }
}

async fn flaw_of(claims: Value) -> Flaw {
    flaw(|s| s.claims = claims).await
}

#[tokio::test]
async fn an_honest_token_is_somebody() {
    let identity = Identity {
        provider: "fake".to_owned(),
        issuer: "https://login.example".to_owned(),
        subject: "ada-1".to_owned(),
        email: Some("ada@example.org".to_owned()),
        email_verified: true,
        name: Some("Ada Lovelace".to_owned()),
    };
    assert_eq!(sign_in(|_| {}).await, Ok(identity));
}

#[tokio::test]
async fn the_browser_is_sent_with_all_that_ties_the_answer_to_it() {
    let fake = Fake::new();
    let providers = Providers::new(Fake::config(), fake.clone());
    let redirect = REDIRECT.parse().expect("a URL");
    let begun = providers.begin("fake", &redirect).await.expect("begun");
    let again = providers.begin("fake", &redirect).await.expect("begun");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "dash"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&begun.url, name), value, "{name}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert!(parameter(&begun.url, name).len() >= 22, "{name}");
        assert_ne!(parameter(&begun.url, name), parameter(&again.url, name), "{name}");
    }
    assert!(!begun.url.as_str().contains("secret"));
    let printed = format!("{begun:?}");
    assert!(printed.contains("https://login.example/authorize"), "{printed}");
    for name in ["state", "nonce", "code_challenge"] {
        assert!(!printed.contains(&parameter(&begun.url, name)), "{name}: {printed}");
    }
    let callback = fake.visit(&begun);
    providers.finish(begun.pending, &callback).await.expect("signed in");
    let (form, authorized) = fake.last_form.lock().expect("a lock").clone();
    let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert!(authorized && field("client_secret").is_none());
    assert_eq!(field("redirect_uri"), Some(REDIRECT));
    assert!(field("code_verifier").is_some_and(|v| v.len() >= 43));
}

#[tokio::test]
async fn a_token_that_is_not_for_this_sign_in_is_refused() {
    assert_eq!(flaw_of(json!({"aud": "another"})).await, Flaw::Audience);
    assert_eq!(flaw_of(json!({"aud": ["dash", "another"]})).await, Flaw::Audience);
    assert_eq!(flaw_of(json!({"iss": "https://evil.example"})).await, Flaw::Issuer);
    assert_eq!(flaw_of(json!({"iss": "https://login.example/"})).await, Flaw::Issuer);
    assert_eq!(flaw_of(json!({"exp": 1_000})).await, Flaw::Expired);
    assert_eq!(flaw_of(json!({"nonce": "another"})).await, Flaw::Nonce);
    assert_eq!(flaw_of(json!({"nonce": null})).await, Flaw::Nonce);
    assert_eq!(flaw_of(json!({"sub": ""})).await, Flaw::Subject);
    assert_eq!(flaw_of(json!({"sub": "a".repeat(256)})).await, Flaw::Subject);
    assert_eq!(flaw_of(json!({"sub": null})).await, Flaw::Form);
    assert_eq!(flaw_of(json!({"exp": "soon"})).await, Flaw::Form);
}

#[tokio::test]
async fn only_the_providers_published_keys_count() {
    assert_eq!(flaw(|s| s.signed = Signed::Forged).await, Flaw::Signature);
    assert_eq!(flaw(|s| s.signed = Signed::Not).await, Flaw::Algorithm);
    assert_eq!(flaw(|s| s.signed = Signed::ClientSecret).await, Flaw::Algorithm);
    assert_eq!(flaw(|s| s.signed = Signed::Key(2)).await, Flaw::UnknownKey);
}

#[tokio::test]
async fn an_access_token_belongs_to_its_id_token() {
    let hash = |token: &str| {
        let key = key(0).as_verification_key();
        let token = AccessToken::new(token.to_owned());
        AccessTokenHash::from_token(&token, &CoreJwsSigningAlgorithm::EdDsa, &key).expect("a hash")
    };
    let own = sign_in(|s| s.claims = json!({"at_hash": *hash(&s.access_token)})).await;
    own.expect("signed in");
    assert_eq!(flaw_of(json!({"at_hash": *hash("another")})).await, Flaw::AccessToken);
    assert_eq!(flaw_of(json!({"at_hash": ""})).await, Flaw::AccessToken);
}

#[tokio::test]
async fn userinfo_is_asked_when_the_token_has_no_address() {
    let no_email = json!({"email": null, "email_verified": true});
    let identity = sign_in(|s| s.claims = no_email.clone()).await.expect("signed in");
    assert_eq!(identity.email.as_deref(), Some("info@example.org"));
    assert!(identity.email_verified);
    assert_eq!(
        flaw(|s| {
            s.claims = no_email.clone();
            s.userinfo["sub"] = json!("eve-1");
        })
        .await,
        Flaw::Subject
    );
    // That the missing address is verified says nothing of the other one.
    let identity = sign_in(|s| {
        s.claims = no_email.clone();
        s.userinfo = json!({"sub": "ada-1", "email": "info@example.org"});
    })
    .await;
    assert!(!identity.expect("signed in").email_verified);
    // It goes into a header.
    let newline = |s: &mut Script| {
        s.claims = no_email.clone();
        s.access_token = "a\r\nb: c".to_owned();
    };
    assert_eq!(flaw(newline).await, Flaw::AccessToken);
    let none = sign_in(|s| {
        s.claims = no_email.clone();
        s.description["userinfo_endpoint"] = json!(null);
    });
    let none = none.await.expect("signed in");
    assert_eq!((none.email, none.email_verified), (None, false));
}

#[tokio::test]
async fn an_address_is_verified_only_when_it_says_so() {
    for (said, verified) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(null), false),
    ] {
        let identity = sign_in(|s| s.claims = json!({ "email_verified": said })).await;
        assert_eq!(identity.expect("signed in").email_verified, verified, "{said}");
    }
    let odd =
        sign_in(|s| s.claims = json!({"email": "a\nb@example.org", "name": format!(" \u{7}{}", "n".repeat(300))}));
    let odd = odd.await.expect("signed in");
    assert_eq!((odd.email, odd.email_verified), (None, false));
    assert_eq!(odd.name.map(|n| n.len()), Some(100));
}

#[tokio::test]
async fn a_page_instead_of_tokens_is_of_what_is_in_front_of_the_provider() {
    for status in [502, 503, 404] {
        let status = StatusCode::from_u16(status).expect("a status");
        let error = sign_in(|s| s.token_page = Some((status, "<html>the client's secret</html>"))).await;
        let error = error.expect_err("no tokens");
        assert!(matches!(error, SsoError::Provider { .. }), "{error:?}");
        assert_eq!(error.fault(), Fault::Provider);
        let detail = error.detail().expect("a detail");
        for word in ["fake at https://login.example", "/token", status.as_str()] {
            assert!(detail.contains(word), "{word}: {detail}");
        }
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_not_believed_says_of_whom() {
    let error = sign_in(|s| s.signed = Signed::Forged).await.expect_err("forged");
    let detail = error.detail().expect("a detail");
    assert!(
        detail.starts_with("fake at https://login.example: the signature"),
        "{detail}"
    );
}

#[tokio::test]
async fn refusals_of_a_code_say_whose_turn_it_is() {
    for (status, body, fault) in [
        (
            400,
            json!({"error": "invalid_grant", "error_description": SECRET}),
            Fault::Browser,
        ),
        (
            401,
            json!({"error": "invalid_client", "error_description": SECRET}),
            Fault::Configuration,
        ),
        (400, json!({"error": "invalid_request"}), Fault::Configuration),
        (
            500,
            json!({"error": "server_error", "error_description": SECRET}),
            Fault::Provider,
        ),
        (200, json!({"access_token": {"not a text": SECRET}}), Fault::Provider),
        (
            200,
            json!({"access_token": "a", "token_type": "Bearer"}),
            Fault::Provider,
        ),
        (
            200,
            json!({"access_token": "a", "token_type": "Bearer", "id_token": SECRET}),
            Fault::Provider,
        ),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        let error = sign_in(|s| s.token_error = Some((status, body.clone()))).await;
        let error = error.expect_err("refused");
        assert_eq!(error.fault(), fault, "{body}: {error:?}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}
