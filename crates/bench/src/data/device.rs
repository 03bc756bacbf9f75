//! Events as devices send them: readings that follow from the ones before, at times of their own, no two events alike.

use std::fmt::Write;

use dash_model::mapping::Mapping;
use serde_json::{Value, json};

/// Between two readings of a device, in milliseconds.
pub const EVERY_MS: u64 = 10_000;
/// Metrics of [`mapping`]; each makes a point of every event.
pub const METRICS: [&str; 2] = ["temperature", "humidity"];

/// Every field of an event and what it is: `integer`, `float`, `boolean` or `string`.
pub const COLUMNS: [(&str, &str); 11] = [
    ("at", "integer"),
    ("device", "string"),
    ("site", "string"),
    ("temperature", "float"),
    ("humidity", "float"),
    ("battery", "integer"),
    ("firmware", "string"),
    ("ok", "boolean"),
    ("sequence", "integer"),
    ("rssi", "integer"),
    ("note", "string"),
];

/// What the events are, for the notes of a row.
pub const ABOUT: &str = "readings of 1,000 devices every 10 s, about 190 bytes: time in milliseconds, two values that wander by their last digits, battery, signal, a counter";

/// Devices and their states. The same in every run.
pub struct Fleet {
    devices: Vec<Device>,
    /// Of the round, in the order in which its readings arrive.
    order: Vec<usize>,
    next: usize,
    round: u64,
    start_ms: i64,
    random: Random,
    ids: bool,
}

struct Device {
    temperature: f64,
    humidity: f64,
    battery: f64,
    rssi: f64,
    sequence: u64,
    phase_ms: u64,
}

impl Fleet {
    /// So many devices, whose first readings are of `start_ms`.
    pub fn new(devices: usize, start_ms: i64) -> Self {
        let mut random = Random(devices as u64);
        let device = |_| Device {
            temperature: 15.0 + random.below(1_500) as f64 / 100.0,
            humidity: 30.0 + random.below(400) as f64 / 10.0,
            battery: 100.0 - random.below(600) as f64 / 10.0,
            rssi: -50.0 - random.below(35) as f64,
            sequence: random.below(1_000_000),
            phase_ms: random.below(EVERY_MS),
        };
        let devices: Vec<Device> = (0..devices).map(device).collect();
        let mut order: Vec<usize> = (0..devices.len()).collect();
        order.sort_by_key(|i| devices[*i].phase_ms);
        Self {
            devices,
            order,
            next: 0,
            round: 0,
            start_ms,
            random,
            ids: false,
        }
    }

    /// Each event has a field `id` besides, a random UUID: 16 bytes that nothing can compress.
    pub fn with_ids(mut self) -> Self {
        self.ids = true;
        self
    }

    /// The next `events` events as lines.
    pub fn lines(&mut self, events: usize) -> String {
        let mut text = String::with_capacity(events * 200);
        for _ in 0..events {
            self.line(&mut text);
        }
        text
    }

    fn line(&mut self, text: &mut String) {
        if self.next == self.order.len() {
            self.next = 0;
            self.round += 1;
            // The network lets neighbours overtake one another.
            for i in 1..self.order.len() {
                if self.random.below(4) == 0 {
                    self.order.swap(i - 1, i);
                }
            }
        }
        let i = self.order[self.next];
        self.next += 1;
        let random = &mut self.random;
        let device = &mut self.devices[i];
        device.temperature = (device.temperature + random.step(0.06)).clamp(-20.0, 60.0);
        device.humidity = (device.humidity + random.step(0.15)).clamp(5.0, 98.0);
        device.battery = (device.battery - 0.000_1).max(0.0);
        device.sequence += 1;
        let rssi = device.rssi + random.step(3.0);
        let late = random.below(40);
        text.push('{');
        if self.ids {
            let id = (u128::from(random.next()) << 64) | u128::from(random.next());
            let _ = write!(
                text,
                "\"id\":\"{}\",",
                uuid::Builder::from_random_bytes(id.to_be_bytes()).into_uuid()
            );
        }
        let at = self.start_ms + (self.round * EVERY_MS + device.phase_ms + late).cast_signed();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\"at\":{at},\"device\":\"device-{i:04}\",\"site\":\"hall-{}\",\"temperature\":{:.2},\"humidity\":{:.1},\
             \"battery\":{:.0},\"firmware\":\"2.4.{}\",\"ok\":{},\"sequence\":{},\"rssi\":{rssi:.0},\"note\":\"periodic reading\"}}",
            i % 10,
            device.temperature,
            device.humidity,
            device.battery,
            i % 7,
            random.below(500) != 0,
            device.sequence,
        );
    }
}

/// Two points an event, by device and site.
///
/// # Errors
/// Never, unless the vocabulary of mappings has changed.
pub fn mapping() -> serde_json::Result<Mapping> {
    serde_json::from_value(json!({
        "time": {"path": "at", "format": "epoch_ms"},
        "metrics": METRICS.map(|name| json!({"name": name, "path": name, "required": true})),
        "tags": [{"name": "device", "path": "device"}, {"name": "site", "path": "site"}],
    }))
}

/// A mapping that reads every field.
///
/// # Errors
/// As [`mapping`].
pub fn whole_mapping() -> serde_json::Result<Mapping> {
    let of = |wanted: &[&str]| -> Vec<Value> {
        let chosen = COLUMNS
            .iter()
            .filter(|(name, kind)| *name != "at" && wanted.contains(kind));
        chosen
            .map(|(name, kind)| json!({"name": name, "path": name, "type": kind}))
            .collect()
    };
    serde_json::from_value(json!({
        "time": {"path": "at", "format": "epoch_ms"},
        "fields": of(&["string"]),
        "metrics": of(&["integer", "float", "boolean"]),
    }))
}

/// Numbers that are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Around 0, nearly normal, seldom farther than three times `deviation`.
    pub fn step(&mut self, deviation: f64) -> f64 {
        // The sum of three numbers of -1 to 1 deviates by 1.
        let one = |bits: u64| (bits & 0xFFFF) as f64 / 32_767.5 - 1.0;
        let bits = self.next();
        (one(bits) + one(bits >> 16) + one(bits >> 32)) * deviation
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn events_are_what_the_columns_say_and_never_the_same() {
        let lines = Fleet::new(50, 1_700_000_000_000).lines(5_000);
        let mut seen = HashSet::new();
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line).expect(line);
            let fields = event.as_object().expect("an object");
            assert_eq!(fields.len(), COLUMNS.len());
            for (name, kind) in COLUMNS {
                let value = &fields[name];
                assert!(
                    match kind {
                        "integer" => value.is_i64(),
                        "float" => value.is_f64(),
                        "boolean" => value.is_boolean(),
                        _ => value.is_string(),
                    },
                    "{name} in {line}"
                );
            }
            assert!(seen.insert(line), "twice: {line}");
        }
        let mean = lines.len() as f64 / 5_000.0;
        assert!((180.0..210.0).contains(&mean), "{mean} bytes an event");
    }

    #[test]
    fn mappings_can_be_compiled() {
        for mapping in [mapping(), whole_mapping()] {
            dash_transform::Plan::compile(&mapping.expect("a mapping")).expect("a plan");
        }
    }
}
