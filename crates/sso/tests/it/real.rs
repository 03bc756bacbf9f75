//! The provider of the npm package `oidc-provider`, which is certified by the OpenID Foundation.
//!
//! Installed with `npm ci` from tests/provider; TEST_OIDC_PROVIDER names the directory that has node_modules in it. Without one these tests
//! are skipped, or fail where TEST_PEERS_REQUIRED is 1.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use dash_sso::{Callback, Flaw, Identity, Pending, Providers, Refusal, SsoError, read_providers};
use serde_json::{Value, json};
use url::Url;

use crate::browser::{Browser, Person};

const BACK: &str = "https://dash.example/sign-in/callback";

/// A process that ends with the test. Its two providers are `info`, which tells addresses at userinfo alone, and `token`.
struct Real {
    process: Child,
    providers: Providers,
    browser: Arc<Browser>,
}

impl Real {
    /// Nothing, and a line that says so, when it is not installed.
    fn start(client: &str, secret: Option<&str>) -> Option<Self> {
        let Ok(directory) = std::env::var("TEST_OIDC_PROVIDER") else {
            let missing = "TEST_OIDC_PROVIDER names no directory with oidc-provider in node_modules";
            let required = std::env::var_os("TEST_PEERS_REQUIRED").is_some_and(|v| v == "1");
            assert!(!required, "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        };
        let mut process = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/provider/provider.mjs"))
            .env("TEST_OIDC_PROVIDER", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut line = String::new();
        let output = process.stdout.as_mut().expect("output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let issuers: [String; 2] = serde_json::from_str(&line).expect("two issuers");
        let config = |slug: &str, issuer: &str| json!({"slug": slug, "name": slug, "issuer": issuer, "client_id": client, "client_secret": secret});
        let config = json!([config("info", &issuers[0]), config("token", &issuers[1])]);
        let browser = Arc::new(Browser::new());
        Some(Self {
            process,
            providers: Providers::new(read_providers(&config.to_string()).expect("read"), browser.clone()),
            browser,
        })
    }

    fn confidential() -> Option<Self> {
        Self::start("dash", Some("a secret: & more"))
    }

    async fn visit(&self, slug: &str, person: Person<'_>) -> (Pending, Callback) {
        let begun = self.providers.begin(slug, &back()).await.expect("begun");
        let callback = self.browser.visit(begun.url, person, BACK).await;
        (begun.pending, callback)
    }

    async fn sign_in(&self, slug: &str, login: &str) -> Result<Identity, SsoError> {
        let (pending, callback) = self.visit(slug, Person::SignsIn(login)).await;
        self.providers.finish(pending, &callback).await
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn back() -> Url {
    BACK.parse().expect("a URL")
}

/// As somebody would who can write into the session.
fn changed(pending: &Pending, field: &str, value: Value) -> Pending {
    let mut kept = serde_json::to_value(pending).expect("written");
    assert!(kept[field] != value && !kept[field].is_null(), "{field}");
    kept[field] = value;
    serde_json::from_value(kept).expect("read")
}

#[tokio::test]
async fn somebody_signs_in() {
    let Some(real) = Real::confidential() else { return };
    for slug in ["info", "token"] {
        let identity = real.sign_in(slug, "ada").await.expect(slug);
        assert_eq!(identity.provider, slug);
        assert_eq!(identity.subject, "ada");
        assert_eq!(identity.email.as_deref(), Some("ada@example.org"));
        assert!(identity.email_verified);
        assert_eq!(identity.name.as_deref(), Some("Name of ada"));
    }
}

#[tokio::test]
async fn a_public_client_signs_in_by_pkce_alone() {
    let Some(real) = Real::start("public", None) else {
        return;
    };
    assert_eq!(real.sign_in("info", "ada").await.expect("signed in").subject, "ada");
}

#[tokio::test]
async fn an_address_that_nobody_confirmed_is_not_verified() {
    let Some(real) = Real::confidential() else { return };
    for slug in ["info", "token"] {
        let identity = real.sign_in(slug, "unverified-eve").await.expect(slug);
        assert_eq!(identity.email.as_deref(), Some("unverified-eve@example.org"));
        assert!(!identity.email_verified);
    }
}

#[tokio::test]
async fn a_code_counts_once_and_for_who_began() {
    let Some(real) = Real::confidential() else { return };
    let (pending, callback) = real.visit("info", Person::SignsIn("ada")).await;
    let copy =
        |p: &Pending| -> Pending { serde_json::from_value(serde_json::to_value(p).expect("written")).expect("read") };
    let (mine, other) = (copy(&pending), real.visit("info", Person::SignsIn("ada")).await.0);
    // Another tab, or somebody else's link.
    assert_eq!(real.providers.finish(other, &callback).await, Err(SsoError::State));
    real.providers.finish(pending, &callback).await.expect("signed in");
    let again = real.providers.finish(mine, &callback).await.expect_err("replayed");
    assert!(matches!(again, SsoError::Code { .. }), "{again:?}");
}

#[tokio::test]
async fn what_was_kept_has_to_fit() {
    let Some(real) = Real::confidential() else { return };
    let (pending, callback) = real.visit("info", Person::SignsIn("ada")).await;
    let expired = changed(&pending, "begun", json!(1_000));
    assert_eq!(real.providers.finish(expired, &callback).await, Err(SsoError::Expired));
    let elsewhere = changed(&pending, "provider", json!("token"));
    assert_eq!(real.providers.finish(elsewhere, &callback).await, Err(SsoError::Issuer));
    let verifier = changed(&pending, "verifier", json!("v".repeat(43)));
    let error = real
        .providers
        .finish(verifier, &callback)
        .await
        .expect_err("another verifier");
    assert!(matches!(error, SsoError::Code { .. }), "{error:?}");
    let (pending, callback) = real.visit("info", Person::SignsIn("ada")).await;
    let swapped = changed(&pending, "nonce", json!("another"));
    let error = real
        .providers
        .finish(swapped, &callback)
        .await
        .expect_err("another nonce");
    assert!(
        matches!(error, SsoError::Untrusted { flaw: Flaw::Nonce, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused_before_the_code_goes_anywhere() {
    let Some(real) = Real::confidential() else { return };
    let (pending, mut callback) = real.visit("info", Person::SignsIn("ada")).await;
    let other = real.visit("token", Person::SignsIn("ada")).await.1;
    let own = std::mem::replace(&mut callback.iss, other.iss);
    let copy = serde_json::to_value(&pending).expect("written");
    assert_eq!(real.providers.finish(pending, &callback).await, Err(SsoError::Issuer));
    callback.iss = own;
    let pending = serde_json::from_value(copy).expect("read");
    real.providers
        .finish(pending, &callback)
        .await
        .expect("the code was not used");
}

#[tokio::test]
async fn who_cancels_is_told_so() {
    let Some(real) = Real::confidential() else { return };
    let (pending, callback) = real.visit("info", Person::Cancels).await;
    let error = real.providers.finish(pending, &callback).await.expect_err("cancelled");
    assert_eq!(error, SsoError::Refused(Refusal::Denied));
}

#[tokio::test]
async fn a_wrong_secret_is_the_operators() {
    let Some(real) = Real::start("dash", Some("wrong")) else {
        return;
    };
    let error = real.sign_in("info", "ada").await.expect_err("a wrong secret");
    assert!(error.detail().is_some_and(|d| d.contains("DASH_OIDC")), "{error:?}");
}

#[tokio::test]
async fn a_token_signed_with_the_clients_secret_is_refused() {
    let secret = "x".repeat(32);
    let Some(real) = Real::start("shared", Some(&secret)) else {
        return;
    };
    let error = real.sign_in("token", "ada").await.expect_err("HS256");
    assert!(
        matches!(
            error,
            SsoError::Untrusted {
                flaw: Flaw::Algorithm,
                ..
            }
        ),
        "{error:?}"
    );
}
