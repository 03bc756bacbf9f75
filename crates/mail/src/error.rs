//! Why a letter was not sent.

use std::{error::Error as _, iter};

use dash_egress::EgressError;
use lettre::transport::smtp;

use crate::words::line;

/// Characters of what the server said.
const REPLY: usize = 200;

/// Has the name of the server and what it answered, never user, password or the letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("DASH_SMTP_URL: {reason}")]
    Url { reason: String },
    #[error("DASH_MAIL_FROM: {reason}")]
    From { reason: String },
    #[error("to: it is not an address that a letter can be sent to; write it as ada@example.org")]
    Recipient,
    #[error("the letter cannot be written as an email: {reason}")]
    Letter { reason: String },
    #[error("DASH_SMTP_URL: {0}")]
    Egress(#[from] EgressError),
    #[error(
        "DASH_SMTP_URL: {server} cannot be reached ({reason}); look whether host, port and kind of TLS are right and it is up"
    )]
    Unreachable { server: String, reason: String },
    #[error("DASH_SMTP_URL: {server} offers no STARTTLS; use smtps:// when it speaks TLS from the start")]
    NoTls { server: String },
    #[error("DASH_SMTP_URL: {server} does not take this user and password ({reason}); look whether they are right")]
    SignIn { server: String, reason: String },
    #[error(
        "DASH_MAIL_FROM: {server} does not take letters from this address ({reply}); give one that its user may send as"
    )]
    Sender { server: String, reply: String },
    #[error(
        "DASH_SMTP_URL: {server} does not pass letters on for us ({reply}); look whether its user may send to other servers, and as DASH_MAIL_FROM"
    )]
    Relay { server: String, reply: String },
    #[error("{server} does not take the letter: {reply}")]
    Refused { server: String, reply: String },
    #[error("{server} does not take the letter now: {reply}")]
    Later { server: String, reply: String },
    #[error("{server} did not answer in time")]
    Timeout { server: String },
    #[error("{server} broke off: {reason}")]
    Broken { server: String, reason: String },
}

/// Where in the conversation it happened: the same answer means something else at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect,
    SignIn,
    Sender,
    Recipient,
    Content,
}

impl MailError {
    /// Whether this letter will never be taken, and trying again is in vain. Else the server may take it later, or once the operator
    /// has changed what the error names.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Recipient | Self::Letter { .. } | Self::Refused { .. })
    }

    pub(crate) fn of_smtp(step: Step, server: &str, error: &smtp::Error) -> Self {
        let server = server.to_owned();
        let Some(code) = error.status() else {
            // The innermost cause; those around it only say which kind it is.
            let cause = iter::successors(error.source(), |e| (*e).source()).last();
            let reason = match cause {
                // It would repeat what the server said, which may repeat what it was sent.
                _ if error.is_response() => "it hung up, or what it answers is not SMTP".to_owned(),
                Some(cause) => line(&cause.to_string(), REPLY),
                None => line(&error.to_string(), REPLY),
            };
            return match step {
                Step::Connect => Self::Unreachable { server, reason },
                // Of ours, not of the server: it wants to sign in in a way that we do not know.
                Step::SignIn if error.is_client() => Self::SignIn { server, reason },
                _ => Self::Broken { server, reason },
            };
        };
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        let number = code.to_string();
        let reply = match step {
            // Codes alone: nothing says that the text does not repeat password or letter.
            Step::SignIn => number.clone(),
            Step::Content => format!("{number} {}", enhanced(&said)).trim_end().to_owned(),
            _ => line(&format!("{number} {said}"), REPLY),
        };
        match step {
            _ if error.is_transient() => Self::Later { server, reply },
            Step::Connect => Self::Later { server, reply },
            Step::SignIn => Self::SignIn { server, reason: number },
            _ if matches!(number.as_str(), "530" | "534" | "535" | "538") => Self::SignIn { server, reason: number },
            Step::Sender => Self::Sender { server, reply },
            Step::Recipient if is_of_sender(&said) => Self::Sender { server, reply },
            Step::Recipient if is_of_client(&said) => Self::Relay { server, reply },
            Step::Recipient | Step::Content => Self::Refused { server, reply },
        }
    }
}

/// The code that stands before the text ([RFC 3463](https://www.rfc-editor.org/rfc/rfc3463)), or nothing.
fn enhanced(said: &str) -> &str {
    let word = said.split_whitespace().next().unwrap_or_default();
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    match word.split('.').count() == 3 && word.split('.').all(number) {
        true => word,
        false => "",
    }
}

/// Many servers, Postfix among them, keep what they have against a sender until the recipient is named.
fn is_of_sender(said: &str) -> bool {
    matches!(enhanced(said), "5.1.7" | "5.1.8")
}

/// The same of who connects. Some recipients are refused in this way too; then the letter is given up later than it could be.
fn is_of_client(said: &str) -> bool {
    // Exim has no code for it.
    enhanced(said).starts_with("5.7.") || said.to_ascii_lowercase().contains("relay not permitted")
}
