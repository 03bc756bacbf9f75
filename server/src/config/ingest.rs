//! What may be posted.

use std::time::Duration;

use dash_ingest::Limits;

use super::{
    ConfigError,
    reader::Reader,
    value::{age, size},
    variables,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingest {
    /// DASH_INGEST_MAX_*
    pub limits: Limits,
    /// DASH_INGEST_BODY_TIMEOUT
    pub body_timeout: Duration,
    /// DASH_INGEST_MEMORY: bytes of all bodies that are decoded at one time.
    pub memory: usize,
    /// DASH_IDEMPOTENCY_AGE
    pub idempotency_age: Duration,
}

impl Ingest {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>) -> Result<Self, ConfigError> {
        let bytes = |text: &str| {
            size(text)
                .filter(|n| (1 << 10..=512 << 20).contains(n))
                .map(|n| n as usize)
        };
        let number = |most: u32| move |text: &str| text.parse().ok().filter(|n| (1..=most).contains(n));
        let limits = Limits {
            body_bytes: reader.required("DASH_INGEST_MAX_BODY", bytes)?,
            inflated_bytes: reader.required("DASH_INGEST_MAX_INFLATED", bytes)?,
            record_bytes: reader.required("DASH_INGEST_MAX_RECORD", bytes)?,
            depth: reader.required("DASH_INGEST_MAX_DEPTH", number(128))?,
            fields_per_record: reader.required("DASH_INGEST_MAX_FIELDS", number(1_000_000))?,
            records_per_batch: reader.required("DASH_INGEST_MAX_RECORDS", number(10_000_000))?,
        };
        let ingest = Self {
            limits,
            body_timeout: reader.required("DASH_INGEST_BODY_TIMEOUT", age)?,
            memory: reader.required("DASH_INGEST_MEMORY", |text| size(text)?.try_into().ok())?,
            idempotency_age: reader.required("DASH_IDEMPOTENCY_AGE", age)?,
        };
        if limits.inflated_bytes < limits.body_bytes {
            return Err(too_small("DASH_INGEST_MAX_INFLATED", limits.inflated_bytes));
        }
        if ingest.memory < limits.body_bytes + limits.inflated_bytes {
            return Err(too_small("DASH_INGEST_MEMORY", ingest.memory));
        }
        Ok(ingest)
    }
}

/// A size that is less than what other variables ask for.
pub(super) fn too_small(name: &'static str, bytes: usize) -> ConfigError {
    ConfigError::Wrong {
        variable: name.to_owned(),
        found: dash_ingest::size(bytes),
        allowed: variables::find(name).map(|v| v.allowed).unwrap_or_default().to_owned(),
    }
}
