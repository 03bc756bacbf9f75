//! What can go wrong, in words for whoever tried.

use webauthn_rs::prelude::WebauthnError;

/// Why a server has no passkeys. It runs without them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("passkeys are bound to a domain, and {host} is an IP address; let browsers open this server by a name")]
    Address { host: String },
    #[error("browsers have passkeys over https alone; {url} is not, and only localhost may do without")]
    Insecure { url: String },
    #[error("{url} cannot have passkeys; write it like https://dash.example.org")]
    Form { url: String },
}

/// Why a passkey was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    #[error("that took longer than ten minutes; start again")]
    Expired,
    /// Nothing in the session, or something else, or of another person.
    #[error("this browser did not begin that; start again")]
    State,
    #[error("the answer of the browser cannot be read; start again")]
    Form,
    #[error("the answer is to another question; start again")]
    Challenge,
    #[error("the answer is for another site; check the address that the browser shows")]
    Origin,
    #[error("the passkey did not check who you are; set a PIN or a fingerprint for it, then start again")]
    Unverified,
    #[error("this passkey is not known here; choose another, or sign in another way and add it")]
    Unknown,
    #[error("the id of this passkey is longer than the 1023 bytes that are allowed; make one on another device")]
    LongId,
    #[error("this passkey is registered already")]
    Again,
    /// Its counter went back, as that of a copy does.
    #[error("this passkey may have been copied; sign in another way, remove it and add it again")]
    Copied,
    #[error("name: a passkey needs the address of its owner")]
    NoName,
    /// The library's words, which have nothing of the answer in them.
    #[error("the passkey was refused: {reason}")]
    Refused { reason: String },
}

impl From<WebauthnError> for PasskeyError {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::MismatchedChallenge => Self::Challenge,
            WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash | WebauthnError::CredentialCrossOrigin => {
                Self::Origin
            }
            WebauthnError::UserNotVerified | WebauthnError::UserNotPresent => Self::Unverified,
            WebauthnError::CredentialNotFound | WebauthnError::InvalidUserUniqueId => Self::Unknown,
            WebauthnError::CredentialExcludedFromRequest => Self::Again,
            WebauthnError::CredentialPossibleCompromise => Self::Copied,
            WebauthnError::InvalidUsername => Self::NoName,
            WebauthnError::ParseBase64Failure(_)
            | WebauthnError::ParseCBORFailure(_)
            | WebauthnError::ParseJSONFailure(_)
            | WebauthnError::ParseNOMFailure
            | WebauthnError::ParseInsufficientBytesAvailable => Self::Form,
            other => Self::Refused {
                reason: other.to_string(),
            },
        }
    }
}
