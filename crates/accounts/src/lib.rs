//! Who somebody is and what they may do, without a database and without HTTP.
//!
//! - [`password`]: Argon2id on a bounded pool, and which passwords are taken.
//! - [`token`]: secrets that are sent by mail or shown once, of which only the hash is kept.
//! - [`api_key`]: keys of programs.
//! - [`second_factor`]: codes that change with time, and codes for when the telephone is gone.
//! - [`policy`]: the one answer to "may they?".
//! - [`email`]: when two addresses are the same.

pub mod api_key;
pub mod email;
pub mod password;
pub mod policy;
pub mod second_factor;
pub mod token;
