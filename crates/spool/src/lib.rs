//! The spool: where an event becomes durable and is acknowledged.

mod batch;
mod error;
mod options;
mod reader;
mod spool;
mod stage;

pub use batch::{Batch, IdempotencyKey, NewBatch};
pub use error::{AppendError, OpenError, ReadError};
pub use options::Options;
pub use reader::Reader;
pub use spool::Spool;
pub use stage::{Backlog, Depth, Pending, Stage};
