//! Every failure that a page can show, with its words.

use leptos::{
    prelude::FromServerFnError,
    server_fn::{codec::JsonEncoding, error::ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// What went wrong, in words for the person who looks at the page. Causes go to the log, not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AppError {
    #[error("There is no {what} named {name:?}.")]
    NotFound { what: String, name: String },
    /// The question itself is wrong; says which field and what to do.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error("{what} cannot be reached right now. Nothing is lost; try again in a moment.")]
    Unavailable { what: String },
    /// Nobody is signed in, and this is not for everybody.
    #[error("Sign in to see this.")]
    SignIn,
    /// Seen, but not theirs to do.
    #[error("This needs {needs}.")]
    Forbidden { needs: String },
    /// A link that was used, replaced or has expired.
    #[error("This link does not work any more. Ask for a new one.")]
    Gone,
    #[error("That was tried too often. Try again in {}.", wait(*.seconds))]
    TooMany { seconds: u32 },
    /// A limit of the organization; says which.
    #[error("This organization has reached its limit of {limit}. An owner sees all limits at Organization, Usage.")]
    Limit { limit: String },
    #[error("Something failed on the server. It has been logged.")]
    Internal,
    /// The way between browser and server failed.
    #[error("{0}")]
    Transport(Transport),
}

/// How it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Transport {
    #[error("The server does not answer. This page goes on by itself when it is back.")]
    Silent,
    /// Most often the page is older than the server.
    #[error("The page and the server do not understand each other. Load the page again.")]
    Garbled,
}

impl AppError {
    /// The HTTP status that a page with this failure has.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            Self::Invalid { .. } => 422,
            Self::SignIn => 401,
            Self::Forbidden { .. } | Self::Limit { .. } => 403,
            Self::Gone => 410,
            Self::TooMany { .. } => 429,
            Self::Unavailable { .. } | Self::Transport(_) => 503,
            Self::Internal => 500,
        }
    }
}

fn wait(seconds: u32) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        // The framework's words ("TypeError: Failed to fetch") help whoever reads logs and consoles, and nobody else.
        #[cfg(feature = "ssr")]
        tracing::debug!(%error, "a server function was not reached");
        #[cfg(not(feature = "ssr"))]
        leptos::logging::warn!("{error}");
        Self::Transport(match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Transport::Silent,
            _ => Transport::Garbled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        let told = |seconds| AppError::TooMany { seconds }.to_string();
        assert!(told(1).ends_with("in a second."));
        assert!(told(90).ends_with("in 90 seconds."));
        assert!(told(91).ends_with("in 2 minutes."));
    }

    #[test]
    fn the_browsers_words_stay_out_of_the_page() {
        let error = ServerFnErrorErr::Request("TypeError: Failed to fetch".into());
        let error = AppError::from_server_fn_error(error);
        assert_eq!(error, AppError::Transport(Transport::Silent));
        assert!(!error.to_string().contains("fetch"), "{error}");
        let error = AppError::from_server_fn_error(ServerFnErrorErr::Deserialization("expected u8".into()));
        assert_eq!(error, AppError::Transport(Transport::Garbled));
    }
}
