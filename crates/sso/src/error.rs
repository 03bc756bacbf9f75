//! What can go wrong, in words for whoever signs in.
//!
//! No text of a provider is in them: it could say anything, to somebody who takes it for ours. What helps the operator is in
//! [`SsoError::detail`].

use std::fmt;

/// Why nobody was signed in. [`Display`](fmt::Display) is for whoever tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SsoError {
    #[error("this way to sign in does not exist; choose another")]
    NoProvider,
    #[error("signing in took longer than ten minutes; start again")]
    Expired,
    /// The answer does not belong to what this browser began: somebody else's link, or a second tab.
    #[error("this answer does not belong to a sign-in that this browser began; start again")]
    State,
    /// The answer came from another provider than the one that was asked.
    #[error("this answer came from another provider than the one that was asked; start again")]
    Issuer,
    #[error("{0}")]
    Refused(Refusal),
    /// The code was used before, is too old, or is not of this provider.
    #[error("{provider} does not know this answer any more; start again")]
    Code { provider: String },
    #[error("{provider} does not know this server; tell whoever runs it")]
    Client { provider: String, detail: String },
    #[error("{provider} cannot be reached, or is not set up well; try again, or tell whoever runs this server")]
    Provider { provider: String, detail: String },
    #[error("{provider} gave an answer that cannot be trusted; start again, or tell whoever runs this server")]
    Untrusted {
        provider: String,
        slug: String,
        issuer: String,
        flaw: Flaw,
    },
}

/// Whose fault an error is, which decides how it is answered and whether it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever signs in can start again.
    Browser,
    /// The provider, or the way to it.
    Provider,
    /// Whoever runs this server.
    Configuration,
}

impl SsoError {
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoProvider | Self::Expired | Self::State | Self::Issuer | Self::Code { .. } => Fault::Browser,
            Self::Refused(refusal) => refusal.fault(),
            Self::Client { .. } => Fault::Configuration,
            Self::Provider { .. } | Self::Untrusted { .. } => Fault::Provider,
        }
    }

    /// For the log: what exactly, and what to do. Without secrets.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Client { detail, .. } | Self::Provider { detail, .. } => Some(detail.clone()),
            Self::Untrusted { slug, issuer, flaw, .. } => Some(format!("{slug} at {issuer}: {flaw}")),
            _ => None,
        }
    }
}

/// Why a provider sent the browser back without a code: the codes of RFC 6749 and of OpenID Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("you did not allow it, or may not use this; start again if that was not meant")]
    Denied,
    #[error("the provider wants you to sign in there, choose an account or agree first; start again")]
    Interaction,
    #[error("the provider is overloaded or under maintenance; try again later")]
    Unavailable,
    #[error("the provider had an error of its own; try again later")]
    Failed,
    #[error("the provider does not let this server ask; tell whoever runs it")]
    Client,
    #[error("the provider does not give what this server asks for; tell whoever runs it")]
    Scope,
    #[error("the provider does not understand what this server asks for; tell whoever runs it")]
    Request,
    #[error("the provider refused, for a reason that is not known here; start again")]
    Other,
}

impl Refusal {
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "access_denied" => Self::Denied,
            "interaction_required" | "login_required" | "account_selection_required" | "consent_required" => {
                Self::Interaction
            }
            "temporarily_unavailable" => Self::Unavailable,
            "server_error" => Self::Failed,
            "unauthorized_client" => Self::Client,
            "invalid_scope" => Self::Scope,
            "invalid_request"
            | "unsupported_response_type"
            | "invalid_request_uri"
            | "invalid_request_object"
            | "request_not_supported"
            | "request_uri_not_supported"
            | "registration_not_supported" => Self::Request,
            _ => Self::Other,
        }
    }

    fn fault(self) -> Fault {
        match self {
            Self::Denied | Self::Interaction | Self::Other => Fault::Browser,
            Self::Unavailable | Self::Failed => Fault::Provider,
            Self::Client | Self::Scope | Self::Request => Fault::Configuration,
        }
    }
}

/// What is wrong with what a provider says of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Missing,
    Signature,
    UnknownKey,
    Algorithm,
    Issuer,
    Audience,
    Expired,
    Nonce,
    AccessToken,
    Subject,
    Form,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no ID token in the answer; is the scope openid allowed at the provider?",
            Self::Signature => "the signature of the ID token is wrong",
            Self::UnknownKey => "the ID token is signed with a key that the provider does not publish",
            Self::Algorithm => {
                "the ID token is signed with an algorithm that is not accepted; set RS256, PS256, ES256 or EdDSA at the provider"
            }
            Self::Issuer => "the ID token is of another issuer; is the issuer in DASH_OIDC the one of this client?",
            Self::Audience => "the ID token is for another client; is client_id in DASH_OIDC right?",
            Self::Expired => "the ID token has expired; are the clocks of this server and of the provider right?",
            Self::Nonce => "the ID token belongs to another sign-in",
            Self::AccessToken => "the access token is not the one that the ID token names, or is not one at all",
            Self::Subject => "userinfo is of somebody else, or the subject is empty or longer than 255 bytes",
            Self::Form => "the ID token or userinfo cannot be read",
        })
    }
}

/// A piece of what a library or a provider says, for a line of the log.
pub(crate) fn short(text: impl fmt::Display) -> String {
    let text = text.to_string();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_provider_writes_is_never_said(code in "\\PC{1,60}") {
            let words = SsoError::Refused(Refusal::of(&code)).to_string();
            prop_assume!(code.len() > 12);
            prop_assert!(!words.contains(&code));
        }
    }

    #[test]
    fn codes_have_words_and_a_fault() {
        for (code, word, fault) in [
            ("access_denied", "allow", Fault::Browser),
            ("login_required", "start again", Fault::Browser),
            ("temporarily_unavailable", "later", Fault::Provider),
            ("server_error", "later", Fault::Provider),
            ("unauthorized_client", "whoever runs", Fault::Configuration),
            ("invalid_scope", "whoever runs", Fault::Configuration),
            ("invalid_request", "whoever runs", Fault::Configuration),
            ("<script>", "not known", Fault::Browser),
            ("", "not known", Fault::Browser),
        ] {
            let error = SsoError::Refused(Refusal::of(code));
            assert!(error.to_string().contains(word), "{code}: {error}");
            assert_eq!(error.fault(), fault, "{code}");
        }
    }
}
