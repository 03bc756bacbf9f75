//! The spool: where an event becomes durable and is acknowledged.
//!
//! Batches of all pipelines go to one segment file at a time. One thread takes what waits, writes it with one write,
//! makes it durable with one fdatasync and then acknowledges all of it: the more arrive at once, the more share the
//! price of a sync. A [`Reader`] hands out what is committed, in order; when both [`Stage`]s are done with every batch
//! of a sealed segment, its file is removed.
//!
//! What holds however the process ends:
//! - An acknowledged batch is read back after the restart, until both stages are done with it; it may be read more
//!   than once.
//! - A reader never sees a batch that a crash could take back.
//! - Sequences rise without gaps while the process lives and are never used for two acknowledged batches.
//! - After a failed sync nothing more is accepted: what the disk holds is then uncertain, and a second sync proves nothing.
//! - A damage within acknowledged batches stops the start with the file and the byte; nothing is skipped in silence.
//!
//! What does not hold: a single bit that flips in the very last frame looks like a write that was cut off. Its bytes are
//! kept beside the segment, with the ending `torn`.

mod batch;
mod codec;
mod disk;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ledger;
mod options;
mod queue;
mod reader;
mod recover;
mod scan;
mod space;
mod spool;
mod stage;
mod writer;

pub use batch::{Batch, IdempotencyKey, NewBatch};
pub use error::{AppendError, OpenError, ReadError};
pub use options::Options;
pub use reader::Reader;
pub use spool::Spool;
pub use stage::{Backlog, Depth, Pending, Stage, Torn};

#[cfg(test)]
mod tests;
