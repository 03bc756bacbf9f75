//! Stage 5, Bronze: every accepted event, raw, as Parquet in object storage.
//!
//! Read it in the order of an event's way: a [`Writer`] gathers the batches of a pipeline until they are worth an
//! object, tells the [`Manifest`] what it intends, [encodes](codec) it and puts it into the [`Store`] once; a
//! [`replay`] reads objects back in the manifest's order.
//!
//! An object exists exactly once or not at all: its key follows from its first and last event, it is put under the
//! condition that nothing is there, and what is found there after all is compared before it is taken for our own.
//! This crate knows no database and no spool: the server lends both, by [`Manifest`] and [`PendingBatch`].

mod backoff;
mod batch;
pub mod codec;
mod error;
mod location;
pub mod manifest;
mod object;
mod read;
mod store;
#[cfg(feature = "test-support")]
pub mod test_support;
mod writer;

pub use batch::PendingBatch;
pub use codec::LakeRow;
pub use error::LakeError;
pub use location::{Location, S3Options};
pub use manifest::{Intent, Manifest, ManifestError};
#[cfg(feature = "fuzzing")]
pub use read::read_in_memory;
pub use read::{ALL_EVENTS, EventRange, LakeObject, last_rows, read, replay};
pub use store::{Store, open};
pub use writer::{Failing, Pushed, Writer, WriterOptions, WriterStatus};
