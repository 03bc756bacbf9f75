//! A provider in memory that says whatever a test wants.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use dash_sso::{Begun, Callback, Http, HttpError, Identity, ProviderConfig, Providers, SsoError, read_providers};
use http::{Request, Response, StatusCode};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey,
    core::{CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJwsSigningAlgorithm},
};
use serde_json::{Value, json};
use url::Url;

pub const ISSUER: &str = "https://login.example";
pub const REDIRECT: &str = "https://dash.example/sign-in/callback";
pub const SECRET: &str = "the client's secret";

/// How an ID token is signed.
#[derive(Clone, Copy, PartialEq)]
pub enum Signed {
    /// With the key of that number.
    Key(usize),
    /// With a key that nobody published, under the name of the first.
    Forged,
    ClientSecret,
    Not,
}

/// What the provider says next. The default is an honest one.
pub struct Script {
    pub description: Value,
    /// Over the claims of an honest ID token; null takes one away.
    pub claims: Value,
    pub userinfo: Value,
    pub access_token: String,
    pub signed: Signed,
    /// How many keys are published.
    pub published: usize,
    /// Instead of tokens.
    pub token_error: Option<(StatusCode, Value)>,
    /// What something in front of the provider answers instead.
    pub token_page: Option<(StatusCode, &'static str)>,
    pub unreachable: bool,
}

pub struct Fake {
    pub script: Mutex<Script>,
    /// Method and path.
    pub calls: Mutex<Vec<String>>,
    /// The form that came with the last code, and whether the secret was in the header.
    pub last_form: Mutex<(Vec<(String, String)>, bool)>,
    nonce: Mutex<String>,
    keys: Vec<CoreEdDsaPrivateSigningKey>,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        let description = json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "jwks_uri": format!("{ISSUER}/keys"),
            "userinfo_endpoint": format!("{ISSUER}/userinfo"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        });
        let script = Script {
            description,
            claims: json!({}),
            userinfo: json!({"sub": "ada-1", "email": "info@example.org", "email_verified": true}),
            access_token: "the-access-token".to_owned(),
            signed: Signed::Key(0),
            published: 1,
            token_error: None,
            token_page: None,
            unreachable: false,
        };
        Arc::new(Self {
            script: Mutex::new(script),
            calls: Mutex::default(),
            last_form: Mutex::default(),
            nonce: Mutex::default(),
            keys: (0..3).map(key).collect(),
        })
    }

    pub fn config() -> Vec<ProviderConfig> {
        let text =
            json!([{"slug": "fake", "name": "Fake", "issuer": ISSUER, "client_id": "dash", "client_secret": SECRET}]);
        read_providers(&text.to_string()).expect("a configuration")
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("a lock"));
    }

    pub fn count(&self, call: &str) -> usize {
        let calls = self.calls.lock().expect("a lock");
        calls.iter().filter(|c| *c == call).count()
    }

    /// From the button to the identity, with an honest browser.
    pub async fn sign_in(self: &Arc<Self>) -> Result<Identity, SsoError> {
        let providers = Providers::new(Self::config(), self.clone());
        self.sign_in_at(&providers).await
    }

    pub async fn sign_in_at(&self, providers: &Providers) -> Result<Identity, SsoError> {
        let begun = providers.begin("fake", &REDIRECT.parse().expect("a URL")).await?;
        let callback = self.visit(&begun);
        providers.finish(begun.pending, &callback).await
    }

    /// What the browser brings back.
    pub fn visit(&self, begun: &Begun) -> Callback {
        *self.nonce.lock().expect("a lock") = parameter(&begun.url, "nonce");
        Callback {
            state: Some(parameter(&begun.url, "state").into()),
            code: Some("the code".into()),
            ..Callback::default()
        }
    }

    fn id_token(&self, script: &Script) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs();
        let mut claims = json!({
            "iss": ISSUER, "aud": "dash", "sub": "ada-1", "iat": now, "exp": now + 300,
            "nonce": *self.nonce.lock().expect("a lock"),
            "email": "ada@example.org", "email_verified": true, "name": "Ada Lovelace",
        });
        let object = claims.as_object_mut().expect("an object");
        for (claim, value) in script.claims.as_object().expect("an object") {
            object.insert(claim.clone(), value.clone());
        }
        object.retain(|_, v| !v.is_null());
        let header = match script.signed {
            Signed::Key(number) => json!({"alg": "EdDSA", "kid": number.to_string()}),
            Signed::Forged => json!({"alg": "EdDSA", "kid": "0"}),
            Signed::ClientSecret => json!({"alg": "HS256"}),
            Signed::Not => json!({"alg": "none"}),
        };
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let bytes = message.as_bytes();
        let ed = CoreJwsSigningAlgorithm::EdDsa;
        let signature = match script.signed {
            Signed::Key(number) => self.keys[number].sign(&ed, bytes).expect("signed"),
            Signed::Forged => key(0).sign(&ed, bytes).expect("signed"),
            Signed::ClientSecret => {
                let key = CoreHmacKey::new(SECRET.as_bytes().to_vec());
                key.sign(&CoreJwsSigningAlgorithm::HmacSha256, bytes).expect("signed")
            }
            Signed::Not => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, script: &Script, request: &Request<Vec<u8>>) -> (StatusCode, Value) {
        let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let authorized = request.headers().contains_key("authorization");
        *self.last_form.lock().expect("a lock") = (form, authorized);
        if let Some(error) = &script.token_error {
            return error.clone();
        }
        let tokens =
            json!({"access_token": script.access_token, "token_type": "Bearer", "id_token": self.id_token(script)});
        (StatusCode::OK, tokens)
    }
}

#[async_trait]
impl Http for Fake {
    async fn execute(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        let path = request.uri().path().to_owned();
        self.calls.lock().expect("a lock").push(path.clone());
        let script = self.script.lock().expect("a lock");
        if script.unreachable {
            return Err(HttpError::new("nobody listens there"));
        }
        if let ("/token", Some((status, page))) = (path.as_str(), script.token_page) {
            let response = Response::builder().status(status).header("content-type", "text/html");
            return Ok(response.body(page.into()).expect("a response"));
        }
        let (status, body) = match path.as_str() {
            "/.well-known/openid-configuration" => (StatusCode::OK, script.description.clone()),
            "/keys" => {
                let keys = self.keys.iter().take(script.published);
                let keys: Vec<_> = keys.map(CoreEdDsaPrivateSigningKey::as_verification_key).collect();
                (StatusCode::OK, json!({ "keys": keys }))
            }
            "/token" => self.token(&script, &request),
            "/userinfo" => (StatusCode::OK, script.userinfo.clone()),
            _ => (StatusCode::NOT_FOUND, json!({})),
        };
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/json");
        Ok(response.body(body.to_string().into_bytes()).expect("a response"))
    }
}

pub fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("{url} has no {name}")).1.into_owned()
}

/// A new key in PKCS #8, which is 16 bytes that are always the same before 32 that are random.
pub fn key(number: usize) -> CoreEdDsaPrivateSigningKey {
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ];
    der.extend(rand::random::<[u8; 32]>());
    let label = "PRIVATE KEY";
    let pem = format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    );
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(number.to_string()))).expect("a key")
}
