//! Trying again, for ever: while the database is away there is nothing better to do, and the spool keeps the events.

use std::{fmt::Display, future::Future, time::Duration};

/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Growing pauses.
pub struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Pause {
    /// Says what failed and waits.
    pub async fn after(&mut self, what: &str, error: &impl Display) {
        tracing::error!(%error, retry_in = ?self.0, "cannot {what}; the spool keeps the events");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(MAX_PAUSE);
    }
}

/// Tries until it succeeds.
pub async fn retry<T, E: Display, F: Future<Output = Result<T, E>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let mut pause = Pause::default();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => pause.after(what, &error).await,
        }
    }
}
