//! HTTP: all routes on one page ([`router`]), a file for each area.

mod guard;
mod health;
mod ingest;
mod live;
mod openapi;
mod problem;
mod query;
mod router;
mod site;
mod stats;
mod theme;

pub use router::router;
