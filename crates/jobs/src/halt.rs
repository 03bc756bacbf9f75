//! How a job ends that is not done.

use std::{error::Error, time::Duration};

/// What [`crate::Work::work`] answers instead of `Ok`. `?` makes of every error one that is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It need not be done any more.
    Cancel(String),
    /// It failed, and is tried again after the job's backoff.
    Retry(String),
    /// It failed in a way that another attempt would not change.
    Discard(String),
    /// Not yet; the attempt does not count.
    Snooze(Duration),
}

impl<E: Error> From<E> for Halt {
    /// The error with all its causes.
    fn from(error: E) -> Self {
        Self::Retry(dash_db::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file is not there")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("the export failed")]
    struct Outer(#[from] Inner);

    #[test]
    fn an_error_is_tried_again_and_says_its_causes() {
        let failed = || -> Result<(), Halt> { Ok(Err(Outer(Inner))?) };
        assert_eq!(
            failed(),
            Err(Halt::Retry("the export failed: the file is not there".into()))
        );
    }
}
