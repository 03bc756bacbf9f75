//! The decoder of posted bodies.
//!
//! Input: a digit each for format, encoding and the six limits, the records path up to the end of the line, the body.

use std::io::Write;

use bytes::Bytes;
use dash_ingest::{Decoded, Encoding, Format, IngestError, Limits, decode};
use dash_model::{RecordsPath, receipt::MAX_LISTED};
use serde::de::IgnoredAny;

use crate::input::Input;

const FORMATS: &[Format] = &[
    Format::Json,
    Format::Ndjson,
    Format::Csv { delimiter: None },
    Format::Csv { delimiter: Some(b',') },
    Format::Csv { delimiter: Some(b';') },
    Format::Csv { delimiter: Some(b'\t') },
    Format::ArrowStream,
];

/// How the body is compressed: not; as it stands, it is gzip or zstd; or it is compressed here.
#[derive(Clone, Copy)]
enum Packing {
    Is(Encoding),
    Gzip,
    Zstd,
}

const PACKINGS: &[Packing] = &[
    Packing::Is(Encoding::Identity),
    Packing::Is(Encoding::Gzip),
    Packing::Is(Encoding::Zstd),
    Packing::Gzip,
    Packing::Zstd,
];

/// Never panics; what is accepted are JSON objects within the limits; counts agree; the same again gives the same; what
/// was accepted is accepted when it is sent again; a compressed body gives what the plain one does.
pub fn target(data: &[u8]) {
    let mut input = Input::new(data);
    let format = input.pick(FORMATS);
    let packing = input.pick(PACKINGS);
    let limits = Limits {
        body_bytes: input.pick(&[1 << 20, 1_000, 64]),
        inflated_bytes: input.pick(&[1 << 20, 1_000, 64, 0]),
        record_bytes: input.pick(&[1 << 20, 200, 16, 0]),
        depth: input.pick(&[32, 1, 2, 128, u32::MAX]),
        fields_per_record: input.pick(&[1_000, 3, 1, 0, u32::MAX]),
        records_per_batch: input.pick(&[100_000, 3, 1, 0, u32::MAX]),
    };
    let path = path(input.line());
    let body = Bytes::copy_from_slice(input.rest());
    let (sent, encoding) = match packing {
        Packing::Is(encoding) => (body.clone(), encoding),
        Packing::Gzip => (gzip(&body).into(), Encoding::Gzip),
        Packing::Zstd => {
            let packed = zstd::encode_all(&body[..], 1).expect("compresses in memory");
            (packed.into(), Encoding::Zstd)
        }
    };
    let take = |body: &Bytes, encoding| decode(body.clone(), format, encoding, path.as_ref(), &limits);
    let outcome = take(&sent, encoding);
    assert_eq!(outcome, take(&sent, encoding), "the same again is not the same");
    let packed_here = matches!(packing, Packing::Gzip | Packing::Zstd);
    if packed_here && sent.len().max(body.len()) <= limits.body_bytes {
        assert_eq!(
            outcome,
            take(&body, Encoding::Identity),
            "the plain body is taken otherwise"
        );
    }
    match outcome {
        Ok(decoded) => {
            accepted(&decoded, &limits);
            again(&decoded, &limits);
            let kept = matches!(format, Format::Json | Format::Ndjson);
            if kept && (packed_here || encoding == Encoding::Identity) {
                as_it_came(&decoded, &body);
            }
        }
        Err(error) => refused(&error),
    }
}

fn path(line: &[u8]) -> Option<RecordsPath> {
    let path: RecordsPath = std::str::from_utf8(line).ok()?.parse().ok()?;
    let again: Option<RecordsPath> = path.to_string().parse().ok();
    assert_eq!(again.as_ref(), Some(&path), "a path is not what it is written as");
    Some(path)
}

fn accepted(decoded: &Decoded, limits: &Limits) {
    let records = &decoded.records;
    assert!(!records.is_empty(), "nothing was taken and nobody was told");
    assert!(records.bytes() <= limits.inflated_bytes, "more than was allowed");
    let all = records.len() as u64 + u64::from(decoded.rejected_total);
    assert!(all <= u64::from(limits.records_per_batch), "{all} records");
    let listed = decoded.rejected.iter().map(|r| u64::from(r.index));
    assert_eq!(decoded.rejected.len(), MAX_LISTED.min(decoded.rejected_total as usize));
    assert!(listed.clone().is_sorted_by(|a, b| a < b) && listed.clone().all(|i| i < all));
    for record in records.iter() {
        assert!(std::str::from_utf8(record).is_ok(), "no UTF-8");
        assert!(serde_json::from_slice::<IgnoredAny>(record).is_ok(), "no JSON");
        assert!(
            record.first() == Some(&b'{') && record.last() == Some(&b'}'),
            "no object"
        );
        assert!(record.len() <= limits.record_bytes, "{} bytes", record.len());
        let (depth, fields) = extent(record);
        assert!(depth <= limits.depth.min(128), "depth {depth}");
        assert!(fields <= limits.fields_per_record, "{fields} fields");
    }
}

/// Depth and keys of what is known to be JSON.
fn extent(json: &[u8]) -> (u32, u32) {
    let (mut depth, mut deepest, mut fields) = (0_u32, 0, 0);
    let (mut text, mut escaped) = (false, false);
    for byte in json {
        match (text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => text = !text,
            (true, _) => {}
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth -= 1,
            (false, b':') => fields += 1,
            (false, _) => {}
        }
    }
    (deepest, fields)
}

/// The accepted records as one array are accepted, all and unchanged.
fn again(decoded: &Decoded, limits: &Limits) {
    let mut body = Vec::from(b"[");
    for (i, record) in decoded.records.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(record);
    }
    body.push(b']');
    let limits = Limits {
        body_bytes: body.len(),
        inflated_bytes: body.len(),
        ..*limits
    };
    let second = decode(body.into(), Format::Json, Encoding::Identity, None, &limits);
    let second = second.unwrap_or_else(|e| panic!("accepted before: {e}"));
    assert_eq!(second.rejected_total, 0);
    assert!(second.records.iter().eq(decoded.records.iter()), "changed on its way");
}

/// Every record stands in the body, one behind the other.
fn as_it_came(decoded: &Decoded, body: &[u8]) {
    let mut rest = body;
    for record in decoded.records.iter() {
        let at = memchr::memmem::find(rest, record).expect("a record that was not sent");
        rest = &rest[at + record.len()..];
    }
}

fn refused(error: &IngestError) {
    let problem = error.problem();
    assert!(matches!(problem.status(), 400 | 413 | 422), "{}", problem.status());
    if let IngestError::AllRejected {
        rejected,
        rejected_total,
    } = error
    {
        assert_eq!(rejected.len(), MAX_LISTED.min(*rejected_total as usize));
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body)
        .and_then(|()| out.finish())
        .expect("compresses in memory")
}
