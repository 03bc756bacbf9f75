//! The browser's end of the live channel: one socket a tab, shared by everything on the page.
//!
//! [`client`] decides, without a browser; [`handle`] is what components use; `tab` (browser only) carries events in
//! and actions out. On the server nothing is live: the page is rendered from its first answers.

mod backoff;
pub mod client;
mod handle;
#[cfg(feature = "hydrate")]
mod tab;
#[cfg(test)]
mod tests;

pub use client::Connection;
pub use handle::{LiveHandle, LiveProvider, use_connection, use_live};
