//! The wall clock, read in one place.

use dash_model::Micros;

/// Now, microseconds since 1970 UTC.
pub fn now() -> Micros {
    Micros(chrono::Utc::now().timestamp_micros())
}
