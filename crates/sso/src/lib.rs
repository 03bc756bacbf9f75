//! Sign-in at somebody else: any provider of [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html), by configuration alone.
//!
//! The flow is the one with a code, always with PKCE (S256), a state and a nonce. [`Providers::begin`] says where the browser goes and what the
//! server keeps meanwhile; [`Providers::finish`] takes what the browser brought back and says who it is:
//!
//! ```no_run
//! # async fn example(http: std::sync::Arc<dyn dash_sso::Http>, callback: dash_sso::Callback) -> Result<(), Box<dyn std::error::Error>> {
//! let configs = dash_sso::read_providers(r#"[{"slug": "google", "name": "Google", "issuer": "https://accounts.google.com", "client_id": "dash"}]"#)?;
//! let providers = dash_sso::Providers::new(configs, http);
//! let begun = providers.begin("google", &"https://dash.example/sign-in/callback".parse()?).await?;
//! // begun.pending goes into the session, the browser to begun.url. It comes back with a callback.
//! let identity = providers.finish(begun.pending, &callback).await?;
//! # Ok(())
//! # }
//! ```
//!
//! *Invariants.* Somebody is who the provider's subject says: an address of mail can change hands, a subject cannot. What a provider writes is
//! never shown to whoever signs in. This crate opens no connection: [`Http`] does, so that one place decides which addresses may be called.

mod callback;
mod config;
mod error;
mod exchange;
mod http;
mod identity;
mod pending;
mod provider;
mod providers;

pub use openidconnect::IssuerUrl;

pub use callback::Callback;
pub use config::{ConfigError, ProviderConfig, read_providers};
pub use error::{Fault, Flaw, Refusal, SsoError};
pub use http::{Http, HttpError};
pub use identity::Identity;
pub use pending::{Begun, Pending};
pub use provider::Provider;
pub use providers::Providers;
