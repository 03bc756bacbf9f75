//! One binary: everything against a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod connect;
mod embedded;
mod migrate;
mod schema;
mod store;
mod test_support;
