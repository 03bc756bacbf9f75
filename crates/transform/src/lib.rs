//! Stage 3: a mapping version becomes a Polars plan; records go in, points and quarantine come out. No I/O.
//!
//! [`Plan::compile`] checks a mapping and types its expressions once; [`Plan::run`] takes records of any number of
//! batches through three steps:
//!
//! 1. `decode`: one Arrow column per path that the mapping names, and a reason for each value that does not fit.
//! 2. `bridge`, `expr`: the columns go to Polars; one lazy plan computes calculated fields, filter, scale and offset.
//! 3. `output`: every record gets its verdict; values become points of series.
//!
//! Always: mapped + filtered + quarantined = records. No value is lost without one of the three.
//!
//! # What becomes of a record
//!
//! Judged in this order; the first line that applies decides.
//!
//! | a record | outcome |
//! |---|---|
//! | not UTF-8, not JSON, nested deeper than 128 levels, no object (or array, where a path begins with a place) | quarantine, `record` |
//! | a named value is there but does not fit its type, or its time is outside of 1970 to 2099 | quarantine, a reason per path, whatever the filter says |
//! | the filter has no result (`1 / 0 > 1`) | quarantine, `filter` |
//! | the filter is false or NULL | filtered |
//! | the time has a path and is missing or null | quarantine |
//! | a required metric is missing or null | quarantine |
//! | a metric has no finite value, or a tag no result | quarantine: never a silent gap |
//! | a calculated tag is longer than 256 bytes or contains U+0000 | quarantine |
//! | no metric has a value | quarantine, `record` |
//! | anything else | a point for each metric that has a value |
//!
//! # What a value is read as
//!
//! `null` is the same as absent. Of equal keys in an object the last wins, with everything below it.
//!
//! | type | from | not from |
//! |---|---|---|
//! | float | number, numeric text (trimmed), boolean as 1 or 0 | NaN, infinities, numbers beyond a float, empty text |
//! | integer | number or numeric text without a fraction, within 64 bits | boolean, 5.5 |
//! | boolean | true, false, 1, 0, and those as text | any other |
//! | string | text, a number as it is written, a boolean | text with a lone surrogate |
//! | tag | as string; an empty one counts as absent | more than 256 bytes, U+0000 |
//! | time | see below | before 1970-01-01, 2100-01-01 or later |
//!
//! No type is read from an object or an array. What no path names is skipped unread, lone surrogates included.
//!
//! Times are cut to the microsecond. `auto` takes RFC 3339 text (with offset, `T` or a space) and numbers or numeric text by
//! the digits before the point: up to 11 are seconds, 12 to 14 milliseconds, 15 to 17 microseconds, more nanoseconds.
//!
//! # Expressions
//!
//! SQL scalar expressions over fields, metrics with a path (after scale and offset), tags with a path, `received_at`, `time` and
//! the calculated fields before. Semantics are PostgreSQL's, three-valued logic included, with these differences:
//! `/` is float division; an error (division by zero, overflow, a failed cast) concerns its record only, and none is raised by
//! a branch of CASE or COALESCE that is not taken or by the right side of a decided AND or OR; ROUND rounds half away from
//! zero for floats too; texts compare by code point; names are case-sensitive. A text grows to 64 KiB at most. Expressions
//! have at most 4,096 bytes and 64 levels.
//!
//! *Architecture invariants*: no I/O, no clock, no global state; the same inputs make the same output, in the same order. `unsafe`
//! is in `bridge` alone. The user's data cannot make [`Plan::run`] fail: [`TransformError`] is a fault of the engine.

mod bridge;
mod decode;
mod expr;
mod output;
mod plan;

pub use plan::{Input, Plan, TransformError, Transformed};
