//! What one posted body may cost.

/// Bounds of one posted body. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The body as it came over the wire. Default 16 MiB.
    pub body_bytes: usize,
    /// The body after inflation, and what a CSV or Arrow body is as JSON. Default 32 MiB, at most 2 GiB: while it inflates, the old and the
    /// new buffer are held for a moment, so a bomb costs up to twice as much.
    pub inflated_bytes: usize,
    /// One record as JSON. A larger one is rejected alone. Default 1 MiB.
    pub record_bytes: usize,
    /// Objects and arrays within each other in one record, the record itself being the first. Default 32, at
    /// least 1 and at most 128.
    pub depth: u32,
    /// Keys of one record, those of nested objects included; columns of a CSV or Arrow body. Default 1,000.
    pub fields_per_record: u32,
    /// Records of one body, accepted and rejected. Default 100,000.
    pub records_per_batch: u32,
}

/// Highest value of [`Limits::inflated_bytes`]: spans of records count in 32 bits.
pub const MAX_INFLATED_BYTES: usize = 2 << 30;
/// Highest value of [`Limits::depth`]: what the later stages' JSON readers go down to.
pub const MAX_DEPTH: u32 = 128;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            inflated_bytes: 32 << 20,
            record_bytes: 1 << 20,
            depth: 32,
            fields_per_record: 1_000,
            records_per_batch: 100_000,
        }
    }
}

impl Limits {
    /// These limits, none above what the code can hold.
    pub(crate) fn clamped(mut self) -> Self {
        self.inflated_bytes = self.inflated_bytes.min(MAX_INFLATED_BYTES);
        self.depth = self.depth.min(MAX_DEPTH);
        self
    }
}

/// A size for people: `16 MiB`, `1.5 MiB`, `300 bytes`.
pub fn size(bytes: usize) -> String {
    const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}
