//! Silver on a real PostgreSQL, every scenario on plain tables and, where it is installed, on TimescaleDB.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests stop at the first surprise, and say what they skip"
)]

mod known;
mod measure;
mod model;
mod queries;
mod rollups;
mod support;
mod timescale;
mod writes;
