//! Bodies of requests, in the forms that senders use.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use rand::{RngExt, rngs::StdRng};

use crate::{
    book::Batch,
    event::{self, Producer},
};

/// A body and what its headers say; repeated as it is, byte for byte.
#[derive(Clone, Debug)]
pub struct Body {
    pub bytes: Bytes,
    pub content_type: &'static str,
    pub gzip: bool,
}

impl Body {
    /// NDJSON or a JSON array, one in four compressed.
    pub fn of(producer: Producer, batch: &Batch, rng: &mut StdRng) -> Self {
        let array = rng.random_bool(0.5);
        let mut text = String::with_capacity((batch.end - batch.first) as usize * 220);
        for id in batch.first..batch.end {
            let separator = match (array, id == batch.first) {
                (true, true) => "[",
                (true, false) => ",",
                (false, true) => "",
                (false, false) => "\n",
            };
            text.push_str(separator);
            event::write_record(&mut text, producer, id, batch.base_ms);
        }
        if array {
            text.push(']');
        }
        let gzip = rng.random_bool(0.25);
        Self {
            bytes: if gzip { compress(&text) } else { text.into() },
            content_type: if array {
                "application/json"
            } else {
                "application/x-ndjson"
            },
            gzip,
        }
    }
}

fn compress(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("writing to memory cannot fail").into()
}
