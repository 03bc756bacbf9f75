//! Reading committed batches in order.

use crate::{Batch, ReadError};

/// Hands out committed batches in order, from the oldest that is kept, following live.
#[derive(Debug)]
pub struct Reader(());

impl Reader {
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Waits until something is committed and answers as much as is there, up to about `max_bytes`, at least one
    /// batch. Cancel safe: a dropped future has consumed nothing.
    ///
    /// # Errors
    /// See [`ReadError`]. After an error the reader stays where it was.
    #[allow(clippy::unused_async)]
    pub async fn next(&mut self, _max_bytes: usize) -> Result<Vec<Batch>, ReadError> {
        Err(ReadError::Closed)
    }
}
