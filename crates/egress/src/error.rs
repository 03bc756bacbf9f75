//! What goes wrong on the way out.

use crate::{host::HostError, policy::Refused};

/// Names the host and the port, never the rest of an address: user, password and query can be secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    #[error("host: {0}")]
    Host(#[from] HostError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("address: `{scheme}` is not fetched; give one that starts with https:// or http://")]
    Scheme { scheme: String },
    #[error("{host}: the name was not found ({reason}); look whether it is written right")]
    Unresolved { host: String, reason: String },
    #[error("{host}, port {port}: it cannot be connected to ({reason}); look whether it is up and lets Dash in")]
    Connect { host: String, port: u16, reason: String },
    #[error("{host}: it did not answer in time; look whether it is up, or try again later")]
    Timeout { host: String },
    #[error("{host}: the request failed ({reason})")]
    Http { host: String, reason: String },
    #[error("{host}: it redirects to an address that cannot be read; give the address that it means")]
    Location { host: String },
    #[error(
        "{host}: it redirects from https to http, where others can read along; give an address that stays on https"
    )]
    Downgrade { host: String },
    #[error("{host}: it redirects more than {most} times; give the address that it ends at")]
    Hops { host: String, most: usize },
    #[error(
        "{host}: it redirects, and what was sent cannot be sent a second time; give the address that it redirects to"
    )]
    Body { host: String },
    #[error(
        "{host}: it redirects to {to}, which must not get what was sent to {host}; give the address that it redirects to, if that is to have it"
    )]
    Elsewhere { host: String, to: String },
    #[error("{host}: the answer is larger than {limit} bytes; ask for less at one time")]
    TooLarge { host: String, limit: usize },
    #[error(
        "the HTTP client cannot be made ({reason}); look whether the certificates of the system are installed (ca-certificates)"
    )]
    Client { reason: String },
}

impl EgressError {
    /// Whether the same can go well later, with nobody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unresolved { .. } | Self::Connect { .. } | Self::Timeout { .. } | Self::Http { .. }
        )
    }

    pub(crate) fn of_http(host: &str, error: &reqwest::Error) -> Self {
        let causes = || std::iter::successors(std::error::Error::source(error), |e| e.source());
        // What the resolver of the client found is said as it was.
        if let Some(own) = causes().find_map(|e| e.downcast_ref::<Self>()) {
            return own.clone();
        }
        let host = host.to_owned();
        if error.is_timeout() {
            return Self::Timeout { host };
        }
        // The innermost cause; the outermost repeats the address.
        let reason = causes()
            .last()
            .map_or_else(|| "it was broken off".to_owned(), ToString::to_string);
        Self::Http { host, reason }
    }
}
