//! What browser and server share: pages, server functions, and what those may ask of the server ([`ports`]).
//!
//! Compiles for the server (feature `ssr`) and for the browser (feature `hydrate`). It knows no database, no
//! Polars, no object store: whatever needs one stands behind a trait in [`ports`].
#![recursion_limit = "256"]

pub mod api;
pub mod books;
pub mod chart;
pub mod components;
pub mod error;
pub mod form;
pub mod here;
pub mod live;
mod page;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod ports;
mod shell;
pub mod theme;

pub use dash_model as model;
pub use error::AppError;
pub use shell::{App, shell};
