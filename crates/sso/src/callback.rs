//! What a browser brings back.

use secrecy::SecretString;
use serde::Deserialize;

/// The parameters of the address that a provider sends the browser to. Others that come with it do not matter.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Callback {
    pub state: Option<SecretString>,
    pub code: Option<SecretString>,
    /// Why there is no code; see [`Refusal`](crate::Refusal).
    pub error: Option<String>,
    /// Whose answer it is, by [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207).
    pub iss: Option<String>,
}
