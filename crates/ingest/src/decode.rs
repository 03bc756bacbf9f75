//! The one way from a posted body to records.

use bytes::Bytes;
use dash_model::{RecordsPath, receipt::Rejection, record::RecordSet};

use crate::{Encoding, Format, IngestError, Limits, arrow_stream, csv_rows, inflate::inflate, json, limits::size};

/// What came out of a body: at least one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// JSON objects. JSON and NDJSON are slices of the (inflated) body, byte for byte as they came.
    pub records: RecordSet,
    /// The first [`dash_model::receipt::MAX_LISTED`] records that were not taken, with their place in the body.
    pub rejected: Vec<Rejection>,
    /// How many were not taken in all.
    pub rejected_total: u32,
}

/// Inflates `body`, splits it into records and checks each within `limits`.
///
/// This is CPU work, some milliseconds a megabyte: call it on a blocking pool. `path` says where the records stand in
/// each JSON document; CSV and Arrow do not need it.
///
/// # Errors
/// When nothing can be taken: see [`IngestError`]. A single bad record is no error, but a [`Rejection`].
pub fn decode(
    body: Bytes,
    format: Format,
    encoding: Encoding,
    path: Option<&RecordsPath>,
    limits: &Limits,
) -> Result<Decoded, IngestError> {
    let limits = &limits.clamped();
    if body.len() > limits.body_bytes {
        return Err(IngestError::BodyTooLarge {
            found: size(body.len()),
            allowed: limits.body_bytes,
        });
    }
    let mut text = inflate(body, encoding, limits)?;
    if text.starts_with(b"\xEF\xBB\xBF") {
        text = text.slice(3..);
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(IngestError::Malformed(
            "the body is empty; send a JSON object, an array of objects, an object a line, CSV or an Arrow stream"
                .into(),
        ));
    }
    match format {
        Format::Json => json::document(text, path, limits),
        Format::Ndjson => json::lines(text, path, limits),
        Format::Csv { delimiter } => csv_rows::rows(&text, delimiter, limits),
        Format::ArrowStream => arrow_stream::rows(&text, limits),
    }
}
