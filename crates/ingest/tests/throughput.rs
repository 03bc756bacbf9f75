//! How fast bodies are decoded: `cargo nextest run -p dash-ingest --run-ignored all --no-capture throughput`.

mod common;

use std::time::Instant;

use common::limits;
use dash_ingest::{Encoding, Format, decode};

#[test]
#[ignore = "a measurement, not a check"]
fn throughput() {
    let event = |i: usize| {
        format!(
            r#"{{"id":"evt_{i:012}","type":"order.created","time":"2026-01-02T03:04:05.{:03}Z","amount":{}.95,"currency":"EUR","customer":{{"country":"DE","plan":"business"}},"items":[1,2,3],"note":"ordinary text of a note"}}"#,
            i % 1_000,
            i % 500
        )
    };
    let events: Vec<String> = (0..50_000).map(event).collect();
    let lines = events.join("\n");
    let array = format!("[{}]", events.join(","));
    let packed = common::gzip(lines.as_bytes());
    for (name, body, format, encoding) in [
        ("NDJSON", lines.clone().into_bytes(), Format::Ndjson, Encoding::Identity),
        ("array", array.into_bytes(), Format::Json, Encoding::Identity),
        ("NDJSON in gzip", packed, Format::Ndjson, Encoding::Gzip),
    ] {
        let start = Instant::now();
        for _ in 0..5 {
            let decoded = decode(body.clone().into(), format, encoding, None, &limits()).expect("decodes");
            assert_eq!(decoded.records.len(), events.len());
        }
        let seconds = start.elapsed().as_secs_f64() / 5.0;
        println!(
            "{name}: {:.0} MB/s, {:.0} events/s of {} bytes",
            lines.len() as f64 / seconds / 1e6,
            events.len() as f64 / seconds,
            events[0].len()
        );
    }
}
