//! What is sent: readings of sensors, about 200 bytes each, two points an event.

use std::{fmt::Write, ops::Range};

use serde_json::{Value, json};

/// Of the tag `device`.
pub const DEVICES: u64 = 100;
/// Metrics of an event; each makes a point of it.
pub const METRICS: [&str; 2] = ["temperature", "humidity"];

/// Events as lines, those of these places in one endless sequence; `at` is the time of a place, in milliseconds.
pub fn lines(places: Range<u64>, devices: u64, at: impl Fn(u64) -> i64) -> String {
    let mut text = String::with_capacity(200 * (places.end - places.start) as usize);
    for place in places {
        let noise = scramble(place);
        let (device, time) = (place % devices, at(place));
        let temperature = 15.0 + (noise % 2_000) as f64 / 100.0;
        let humidity = 30.0 + (noise / 2_000 % 600) as f64 / 10.0;
        let (battery, serial) = (noise % 100, noise >> 20);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{{\"at\":{time},\"device\":\"device-{device:04}\",\"site\":\"hall-{}\",\"temperature\":{temperature:.2},\"humidity\":{humidity:.1},\
             \"battery\":{battery},\"firmware\":\"2.4.{}\",\"ok\":true,\"serial\":\"{serial:016x}\",\"note\":\"periodic reading\"}}",
            device % 4,
            device % 7,
        );
    }
    text
}

/// As a definition of a pipeline has it.
pub fn mapping() -> Value {
    json!({
        "time": {"path": "at", "format": "epoch_ms"},
        "metrics": METRICS.map(|name| json!({"name": name, "path": name, "required": true})),
        "tags": [{"name": "device", "path": "device"}, {"name": "site", "path": "site"}],
    })
}

/// The same number for the same place in every run (splitmix64).
fn scramble(place: u64) -> u64 {
    let mut z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
