//! Integration tests: the whole server over HTTP, on a real PostgreSQL with a database for each test.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by a panic; clippy sees only the functions marked as tests"
)]

mod accounts;
mod cli;
mod crash;
mod health;
mod idempotency;
mod ingest;
mod lake;
mod limits;
mod live;
mod native;
mod openapi;
mod policy;
mod query;
mod reconcile;
mod restart;
mod safety;
mod signed;
mod site;
mod util;
