//! Rows: free functions over one connection, so that a caller can put several into one transaction.
//!
//! The diesel structs are private to each file; everything that goes in or comes out is a type of `dash_model` or a plain struct
//! beside the function.

pub mod api_keys;
pub mod audit;
pub mod dashboards;
pub mod idempotency;
pub mod identities;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod lake_objects;
pub mod ledger;
pub mod mails;
pub mod members;
pub mod organizations;
pub mod passkeys;
pub mod pipelines;
pub mod quarantine;
pub mod second_factors;
pub mod secrets;
pub mod sessions;
pub mod teams;
pub mod tokens;
pub mod usage;
pub mod users;

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use dash_model::{EventSeq, Micros};
use serde::de::DeserializeOwned;

use crate::DbError;

/// Events from one to another, both included.
pub type EventRange = RangeInclusive<EventSeq>;

/// Every sequence that `node` can hand out.
pub fn range_of_node(node: u8) -> EventRange {
    let first = EventSeq::first_of_node(node);
    first..=EventSeq(first.0 + ((1 << EventSeq::COUNTER_BITS) - 1))
}

fn micros(time: DateTime<Utc>) -> Micros {
    Micros(time.timestamp_micros())
}

/// PostgreSQL's own range is narrower than chrono's; what is beyond chrono's is beyond both.
fn time(micros: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros.0).unwrap_or(match micros.0 < 0 {
        true => DateTime::<Utc>::MIN_UTC,
        false => DateTime::<Utc>::MAX_UTC,
    })
}

/// A value of the vocabulary out of a `jsonb` column.
fn read<T: DeserializeOwned>(what: impl FnOnce() -> String, value: serde_json::Value) -> Result<T, DbError> {
    serde_json::from_value(value).map_err(|e| DbError::Stored {
        what: what(),
        reason: e.to_string(),
    })
}

/// A value of the vocabulary for a `jsonb` column.
fn json<T: serde::Serialize>(what: &str, value: &T) -> Result<serde_json::Value, DbError> {
    serde_json::to_value(value).map_err(|e| DbError::Stored {
        what: what.to_owned(),
        reason: e.to_string(),
    })
}

/// A hash out of a `bytea` column whose length the database checks.
fn hash(what: &str, bytes: &[u8]) -> Result<[u8; 32], DbError> {
    bytes.try_into().map_err(|_| DbError::Stored {
        what: what.to_owned(),
        reason: format!("it has {} bytes instead of 32", bytes.len()),
    })
}

/// A word of a closed set out of a `text` column.
fn word<T: std::str::FromStr<Err = dash_model::account::UnknownWord>>(what: &str, text: &str) -> Result<T, DbError> {
    text.parse()
        .map_err(|e: dash_model::account::UnknownWord| DbError::Stored {
            what: what.to_owned(),
            reason: e.to_string(),
        })
}
