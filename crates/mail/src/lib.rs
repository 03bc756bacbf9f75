//! Letters that Dash sends: what is in them, and the way to the operator's mail server.
//!
//! - [`template`]: one [`Letter`] for each occasion, written as text and as HTML.
//! - [`Mailer`]: hands a [`Message`] to a mail server, over TLS, and says whether it is worth trying again.
//!
//! A [`Message`] is what waits in a queue between the two: whole, so that it is sent as it was meant, whatever is deployed
//! meanwhile. No letter has an image, a pixel or a link that counts who opens it.

mod clear;
mod error;
mod mailer;
mod page;
mod server;
pub mod template;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use error::MailError;
pub use mailer::Mailer;
pub use template::Letter;

/// To one recipient. Has links in it that sign somebody in: it is not printed, and what keeps it deletes it once it is sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same at each attempt: a server that took the letter and could not say so any more knows it again.
    #[serde(default = "Uuid::new_v4")]
    pub id: Uuid,
    /// An address without a name.
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
