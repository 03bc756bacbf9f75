//! What the rows without HTTP share: their data, the core they run on, a PostgreSQL of their own, and other programs.

pub mod bronze;
pub mod cpu;
pub mod device;
pub mod foreign;
pub mod mapper;
pub mod points;
pub mod postgres;
pub mod quantiles;
