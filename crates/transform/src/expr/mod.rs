//! SQL scalar expressions: parsed, typed, and turned into columns of a Polars plan.
//!
//! Types are Float, Integer, Boolean, String and Timestamp. Integers widen to floats where the two meet; `/` is always
//! float division. NULL follows SQL's three-valued logic. An operation that has no result (a division by zero, an
//! overflow, the logarithm of what is not positive, a cast that fails) makes no NULL: it is a *fault* of the row, and
//! whatever uses the expression sends the record to quarantine. A branch of CASE or COALESCE that is not taken, and
//! the right side of an AND or OR that is already decided, raise no fault.

mod build;
mod compile;
mod functions;
mod kernel;
mod like;
mod parse;

pub(crate) use build::{Levels, Ty, Val};
pub(crate) use compile::{compile, compile_filter};
pub(crate) use functions::{cast, scaled};

/// Names that an expression may use.
pub(crate) type Env = std::collections::BTreeMap<String, Val>;

/// Longest expression, in bytes.
pub(crate) const MAX_LENGTH: usize = 4096;
/// Operators and calls that may stand in one another.
pub(crate) const MAX_DEPTH: usize = 64;
/// `WHEN`s of one CASE.
pub(crate) const MAX_WHENS: usize = 64;
/// Longest text that an expression may make, in bytes: what is longer is a fault.
pub(crate) const MAX_TEXT: usize = 65_536;
