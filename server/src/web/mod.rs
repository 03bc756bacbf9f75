//! HTTP: all routes on one page ([`router`]), a file for each area.

mod audit;
pub mod cookies;
mod forms;
mod guard;
mod health;
mod identify;
mod ingest;
mod live;
mod openapi;
mod passkeys;
mod problem;
mod query;
mod reader;
mod router;
pub mod routes;
mod site;
mod sso;
mod stats;
mod theme;

pub use router::{api_document, router};
