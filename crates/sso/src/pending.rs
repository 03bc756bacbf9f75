//! A sign-in that is on its way: what the server keeps until the browser comes back.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use openidconnect::{AuthorizationCode, CsrfToken, IssuerUrl, Nonce, PkceCodeVerifier};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;

use crate::{Callback, Refusal, SsoError};

/// How long somebody may take at the provider.
const LIFETIME: Duration = Duration::from_secs(600);
/// How far the clocks of two nodes of this server may differ.
const SKEW: Duration = Duration::from_secs(60);

/// Where the browser goes, and what is kept. What is printed of it has no secrets.
pub struct Begun {
    pub url: Url,
    pub pending: Pending,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // State and nonce are in the query.
        let mut url = self.url.clone();
        url.set_query(None);
        f.debug_struct("Begun")
            .field("url", &url.as_str())
            .field("pending", &self.pending)
            .finish()
    }
}

/// Belongs into the session on the server: state, nonce and verifier are worth nothing once the browser can read or write them. Take it out of there
/// before [`finish`](crate::Providers::finish), so that one answer counts once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pending {
    pub(crate) provider: String,
    /// Seconds of Unix time.
    pub(crate) begun: u64,
    /// The provider wants to see it again with the code.
    pub(crate) redirect: Url,
    pub(crate) state: CsrfToken,
    pub(crate) nonce: Nonce,
    pub(crate) verifier: PkceCodeVerifier,
}

/// Who has to have sent a callback.
pub(crate) struct Sender<'a> {
    pub slug: &'a str,
    pub issuer: &'a IssuerUrl,
    /// Whether it promised to say its issuer with every answer.
    pub says_issuer: bool,
}

impl Pending {
    /// The slug of the provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The code, when the callback is the answer to this. Nothing else of it counts before its state is right.
    pub(crate) fn code(
        &self,
        callback: &Callback,
        sender: &Sender<'_>,
        now: u64,
    ) -> Result<AuthorizationCode, SsoError> {
        if self.provider != sender.slug {
            return Err(SsoError::Issuer);
        }
        if now > self.begun.saturating_add(LIFETIME.as_secs()) || self.begun > now + SKEW.as_secs() {
            return Err(SsoError::Expired);
        }
        let state = callback.state.as_ref().ok_or(SsoError::State)?;
        let same = state.expose_secret().as_bytes().ct_eq(self.state.secret().as_bytes());
        if !bool::from(same) {
            return Err(SsoError::State);
        }
        // Before the error too: another provider's refusal is no more to be believed than its code.
        match &callback.iss {
            Some(iss) if iss != sender.issuer.as_str() => return Err(SsoError::Issuer),
            None if sender.says_issuer => return Err(SsoError::Issuer),
            _ => {}
        }
        if let Some(error) = &callback.error {
            return Err(SsoError::Refused(Refusal::of(error)));
        }
        let code = callback.code.as_ref().ok_or(SsoError::Refused(Refusal::Other))?;
        Ok(AuthorizationCode::new(code.expose_secret().to_owned()))
    }
}

/// Seconds of Unix time.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |s| s.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://a.example";

    fn pending() -> Pending {
        Pending {
            provider: "a".to_owned(),
            begun: 1_000,
            redirect: "https://dash.example/".parse().expect("a URL"),
            state: CsrfToken::new("state".to_owned()),
            nonce: Nonce::new("the nonce".to_owned()),
            verifier: PkceCodeVerifier::new("the verifier".to_owned()),
        }
    }

    fn callback(state: &str, iss: Option<&str>) -> Callback {
        Callback {
            state: Some(state.into()),
            code: Some("code".into()),
            iss: iss.map(str::to_owned),
            error: None,
        }
    }

    fn code(callback: &Callback, says_issuer: bool, now: u64) -> Result<String, SsoError> {
        let sender = Sender {
            slug: "a",
            issuer: &IssuerUrl::new(ISSUER.to_owned()).expect("an issuer"),
            says_issuer,
        };
        let code = pending().code(callback, &sender, now);
        code.map(AuthorizationCode::into_secret)
    }

    #[test]
    fn a_code_counts_with_its_state_in_its_time_from_its_provider() {
        let good = callback("state", Some(ISSUER));
        assert_eq!(code(&good, true, 1_600), Ok("code".to_owned()));
        assert_eq!(code(&callback("state", None), false, 1_000), Ok("code".to_owned()));
        assert_eq!(code(&good, true, 1_601), Err(SsoError::Expired));
        assert_eq!(code(&good, true, 939), Err(SsoError::Expired), "begun in the future");
        for state in ["", "stat", "statf", "state2"] {
            assert_eq!(code(&callback(state, Some(ISSUER)), true, 1_000), Err(SsoError::State));
        }
        assert_eq!(code(&Callback::default(), false, 1_000), Err(SsoError::State));
        for iss in ["https://b.example", "https://a.example/", ""] {
            assert_eq!(code(&callback("state", Some(iss)), false, 1_000), Err(SsoError::Issuer));
        }
        assert_eq!(code(&callback("state", None), true, 1_000), Err(SsoError::Issuer));
    }

    #[test]
    fn an_error_is_believed_when_it_is_the_providers() {
        let mut denied = callback("state", Some(ISSUER));
        denied.error = Some("access_denied".to_owned());
        assert_eq!(code(&denied, true, 1_000), Err(SsoError::Refused(Refusal::Denied)));
        denied.iss = Some("https://b.example".to_owned());
        assert_eq!(code(&denied, true, 1_000), Err(SsoError::Issuer));
        denied.state = Some("other".into());
        assert_eq!(code(&denied, true, 1_000), Err(SsoError::State));
    }

    #[test]
    fn neither_code_nor_error_is_no_answer() {
        let mut nothing = callback("state", Some(ISSUER));
        nothing.code = None;
        assert_eq!(code(&nothing, true, 1_000), Err(SsoError::Refused(Refusal::Other)));
    }

    #[test]
    fn what_is_kept_is_not_printed_and_comes_back_from_the_session() {
        let kept = serde_json::to_string(&pending()).expect("written");
        let read: Pending = serde_json::from_str(&kept).expect("read");
        assert_eq!(read.verifier.secret(), "the verifier");
        let printed = format!("{read:?} {:?}", callback("secret state", None));
        for secret in ["the nonce", "the verifier", "secret state"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
