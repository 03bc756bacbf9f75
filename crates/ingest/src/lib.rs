//! Stage 1 of an event's way: what was posted becomes bounded, checked records. Pure code: no I/O, no HTTP framework.
//!
//! Read it in the order of a request: [`format`](mod@format) understands the headers, [`keys`] and [`signature`] say who sent it,
//! [`idempotency`] whether it was seen before; [`decode`] inflates the body within [`Limits`], splits it and checks each
//! record on its own; [`IngestError`] says what was wrong with all of it, as a [`Problem`] of RFC 9457.
//!
//! *Invariants.* Records are kept byte for byte as they came wherever they came as JSON. A bad record never costs another
//! one. Whatever is posted, memory stays within a small multiple of [`Limits::inflated_bytes`], and nothing recurses.

mod arrow_stream;
mod collect;
mod csv_rows;
mod decode;
mod error;
pub mod format;
pub mod idempotency;
mod inflate;
mod json;
pub mod keys;
mod limits;
pub mod problem;
pub mod scan;
pub mod signature;

pub use decode::{Decoded, decode};
pub use error::IngestError;
pub use format::{Encoding, Format};
pub use idempotency::{IdempotencyKey, body_hash};
pub use keys::{NewKey, bearer, generate_key, hash_key};
pub use limits::{Limits, size};
pub use problem::{Problem, ProblemKind};
pub use signature::{SignatureError, generate_signing_secret, verify};
