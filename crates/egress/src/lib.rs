//! The one guard for every address that a user can give: polled APIs, webhooks, OpenID providers, mail servers, brokers, S3.
//!
//! Dash runs inside a network that its users must not reach through it: the database, other containers, the credentials that a
//! cloud hands out at 169.254.169.254. A [`Guard`] resolves a name **once**, judges every address of the answer, and connects to
//! exactly what it judged; a name that points elsewhere a moment later changes nothing. Only what is globally reachable is let
//! through, and what the operator lists in [`Policy`].
//!
//! ```
//! # async fn example() -> Result<(), dash_egress::EgressError> {
//! use dash_egress::{Guard, Policy};
//!
//! let guard = Guard::new(Policy::default());
//! let refused = guard.resolve("0x7f.1", 5432).await;
//! assert!(refused.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! - [`Policy`]: what is allowed beyond the internet, and the verdict on one address.
//! - [`Guard`]: names to addresses, and connections.
//! - [`Client`]: HTTP through the guard, redirects checked hop by hop; [`read`]: a body up to a limit.
//! - [`Host`]: a host as a browser would read it, whatever way it was written.
//!
//! *What it cannot know*: a globally reachable address that leads back into the operator's network, such as that of his own
//! load balancer. A firewall can.

mod address;
mod body;
mod error;
mod guard;
mod host;
mod http;
mod policy;
mod redirect;
mod system;

pub use address::Ground;
pub use body::read;
pub use error::EgressError;
pub use guard::{Answer, Guard, Resolve, Timeouts};
pub use host::{Host, HostError};
pub use http::Client;
pub use policy::{Policy, PolicyError, Refused};
pub use system::SystemDns;
