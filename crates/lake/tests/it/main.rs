//! Objects over a real S3 protocol and a local directory: written exactly once, whatever fails in between.

// clippy.toml allows it in tests; here the helpers are meant, too.
#![allow(clippy::unwrap_used)]

mod codec;
mod crashes;
mod faults;
mod reading;
mod storage;
mod support;
mod writing;
