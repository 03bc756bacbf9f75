//! From the spool onwards: [`silver`] makes points of batches, [`bronze`] puts them into the lake. Each reads the spool on its own
//! and at its own pace; a segment is trimmed when both are done with it.

pub mod bronze;
mod coverage;
pub mod manifest;
mod mapped;
mod retry;
pub mod silver;

pub use coverage::Coverage;
