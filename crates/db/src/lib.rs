//! PostgreSQL for Dash: a private server where none is configured ([`embedded`]), pools ([`Db`]), migrations
//! ([`migrate`]), rows ([`store`]) and databases for tests (`test_support`).
//!
//! Rows are diesel's and stay inside [`store`]; what goes in and comes out is the vocabulary of `dash_model`. Metrics are
//! written and read by `dash-metrics`, over [`Db::client`].

pub mod embedded;
mod error;
mod migrate;
mod pool;
pub mod schema;
pub mod store;
#[cfg(feature = "test-support")]
pub mod test_support;

pub use diesel::result::Error as DieselError;
pub use diesel_async::{AsyncConnection, AsyncPgConnection};
pub use error::{AccountError, DbError, chain};
pub use migrate::{migrate, revert_all};
pub use pool::{Db, PoolSizes, RowConnection};
