//! One file for each route.

mod home;

pub use home::Home;
