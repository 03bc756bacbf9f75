//! Signing in at a provider that is made up, which can lie, and at a real one.
#![allow(
    clippy::print_stderr,
    reason = "a test that was skipped says so; clippy sees only the functions marked as tests"
)]

mod browser;
mod discovery;
mod fake;
mod real;
mod tokens;
