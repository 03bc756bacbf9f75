//! Passkeys ([WebAuthn](https://www.w3.org/TR/webauthn-3/)): sign-in without a password and without typing a name, since the key itself says whose
//! it is.
//!
//! Both registering and signing in have two halves. The first gives [`Begun`]: options for the browser, where [`SCRIPT`] hands them to the
//! authenticator, and a state for the session on the server. The second takes that state and what the browser answered:
//!
//! ```no_run
//! # fn example(user: uuid::Uuid, answer: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let passkeys = dash_passkey::Passkeys::new(&"https://dash.example".parse()?)?;
//! let begun = passkeys.begin_registration(user, "ada@example.org", "Ada", &[])?;
//! // begun.state goes into the session, begun.options to the browser, which answers.
//! let stored = passkeys.finish_registration(user, &begun.state, answer)?;
//! # Ok(())
//! # }
//! ```
//!
//! *Invariants.* Every key has verified its user, by a PIN or a finger, so that it stands for both factors. A key is bound to the domain of this
//! server: at another one the browser does not offer it. Of a key the server keeps the public half alone.

mod error;
mod passkeys;
mod stored;

pub use error::{PasskeyError, SetupError};
pub use passkeys::{Begun, Passkeys};
pub use stored::{SignedIn, Stored};

/// For the browser: `window.DashPasskeys`. To be served as a file; a content security policy that forbids inline scripts allows it.
pub const SCRIPT: &str = include_str!("../passkeys.js");
