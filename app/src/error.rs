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
    #[error("Something failed on the server. It has been logged.")]
    Internal,
    /// The way between browser and server failed.
    #[error("The server did not answer: {0}")]
    Transport(String),
}

impl AppError {
    /// The HTTP status that a page with this failure has.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            Self::Invalid { .. } => 422,
            Self::Unavailable { .. } | Self::Transport(_) => 503,
            Self::Internal => 500,
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Transport(error.to_string())
    }
}
