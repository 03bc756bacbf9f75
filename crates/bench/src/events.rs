//! What is sent to servers: readings of sensors, about 200 bytes each, two points an event.
//!
//! A request is made once and sent many times, each time with another time of its events: nothing that is sent is the same twice (InfluxDB keeps one of two
//! points of the same series and time), and sending costs a copy.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

/// Of the tag `device`; each sends once in a step.
pub const DEVICES: u64 = 1_000;
/// Fields of an event that become metrics; each makes a point of it.
pub const METRICS: [&str; 2] = ["temperature", "humidity"];
/// Of the line protocol.
pub const MEASUREMENT: &str = "readings";
/// Milliseconds between two readings of a device: at 100,000 events a second the events' clock goes as fast as the wall's.
const STEP_MS: i64 = 10;
/// Bytes of a time in milliseconds, until the year 2286.
const STAMP: usize = 13;

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With all its members.
    Json,
    /// Tags, metrics and time alone.
    Lines,
}

/// Bodies of so many events each; the events of all of them are whole steps.
pub struct Bodies {
    pub events: u64,
    bodies: Vec<Body>,
}

struct Body {
    text: Vec<u8>,
    /// Where times begin in it.
    stamps: Vec<usize>,
}

impl Bodies {
    /// Bodies of a whole step.
    pub fn batches(form: Form, count: u64) -> Self {
        Self::new(form, count, DEVICES)
    }

    /// Bodies of one event, for so many steps.
    pub fn singles(form: Form, steps: u64) -> Self {
        Self::new(form, steps * DEVICES, 1)
    }

    fn new(form: Form, count: u64, events: u64) -> Self {
        let body = |nth: u64| {
            let mut body = Body {
                text: Vec::new(),
                stamps: Vec::new(),
            };
            for place in nth * events..(nth + 1) * events {
                body.write(form, place);
            }
            // An object alone is no line.
            if events == 1 {
                body.text.pop();
            }
            body
        };
        Self {
            events,
            bodies: (0..count).map(body).collect(),
        }
    }

    /// As whole requests: `request` puts a head before a body.
    pub fn requests(&self, request: impl Fn(&[u8]) -> Vec<u8>) -> Requests {
        let template = |body: &Body| {
            let bytes = request(&body.text);
            let head = bytes.len() - body.text.len();
            Template {
                stamps: body.stamps.iter().map(|at| at + head).collect(),
                bytes,
            }
        };
        Requests {
            events: self.events,
            begin_ms: chrono::Utc::now().timestamp_millis() - BEFORE_MS,
            templates: self.bodies.iter().map(template).collect(),
            next: AtomicU64::new(0),
        }
    }

    /// Bytes of an event.
    pub fn event_bytes(&self) -> f64 {
        let bytes: usize = self.bodies.iter().map(|b| b.text.len()).sum();
        bytes as f64 / (self.events as usize * self.bodies.len()).max(1) as f64
    }

    /// For what needs no server.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.bodies.iter().map(|b| b.text.as_slice())
    }
}

/// Events begin so long ago; times of a run never lie in the future.
const BEFORE_MS: i64 = 10 * 60_000;

/// Requests without an end, none the same as another.
pub struct Requests {
    /// Of each.
    pub events: u64,
    begin_ms: i64,
    templates: Vec<Template>,
    next: AtomicU64,
}

struct Template {
    bytes: Vec<u8>,
    stamps: Vec<usize>,
}

impl Requests {
    /// Writes the next of all requests over what `into` holds.
    pub fn write(&self, into: &mut Vec<u8>) {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let template = &self.templates[(nth % self.templates.len() as u64) as usize];
        let step = nth * self.events / DEVICES;
        let stamp = (self.begin_ms + step.cast_signed() * STEP_MS).to_string();
        debug_assert_eq!(stamp.len(), STAMP);
        into.clear();
        into.extend_from_slice(&template.bytes);
        for at in &template.stamps {
            into[*at..*at + STAMP].copy_from_slice(stamp.as_bytes());
        }
    }
}

impl Body {
    fn write(&mut self, form: Form, place: u64) {
        let noise = scramble(place);
        let device = place % DEVICES;
        let temperature = 15.0 + (noise % 2_000) as f64 / 100.0;
        let humidity = 30.0 + (noise / 2_000 % 600) as f64 / 10.0;
        let hall = device % 4;
        let mut text = String::with_capacity(256);
        // Writing to a String cannot fail.
        let stamp = match form {
            Form::Json => {
                let (battery, serial, firmware) = (noise % 100, noise >> 20, device % 7);
                let stamp = "{\"at\":".len();
                let _ = writeln!(
                    text,
                    "{{\"at\":{:0STAMP$},\"device\":\"device-{device:04}\",\"site\":\"hall-{hall}\",\"temperature\":{temperature:.2},\"humidity\":{humidity:.1},\
                     \"battery\":{battery},\"firmware\":\"2.4.{firmware}\",\"ok\":true,\"serial\":\"{serial:016x}\",\"note\":\"periodic reading\"}}",
                    0
                );
                stamp
            }
            Form::Lines => {
                let _ = write!(
                    text,
                    "{MEASUREMENT},device=device-{device:04},site=hall-{hall} temperature={temperature:.2},humidity={humidity:.1} "
                );
                let stamp = text.len();
                let _ = writeln!(text, "{:0STAMP$}", 0);
                stamp
            }
        };
        self.stamps.push(self.text.len() + stamp);
        self.text.extend_from_slice(text.as_bytes());
    }
}

/// As `server pipelines create` takes it.
pub fn definition(slug: &str) -> Value {
    json!({
        "name": slug,
        "slug": slug,
        "mapping": {
            "time": {"path": "at", "format": "epoch_ms"},
            "metrics": METRICS.map(|name| json!({"name": name, "path": name, "required": true})),
            "tags": [{"name": "device", "path": "device"}, {"name": "site", "path": "site"}],
        },
    })
}

/// The same number for the same place in every run (splitmix64).
fn scramble(place: u64) -> u64 {
    let mut z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sent(bodies: &Bodies, requests: u64) -> Vec<String> {
        let all = bodies.requests(<[u8]>::to_vec);
        let mut buffer = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..requests {
            all.write(&mut buffer);
            lines.extend(String::from_utf8(buffer.clone()).unwrap().lines().map(str::to_owned));
        }
        lines
    }

    #[test]
    fn no_two_events_have_device_and_time_in_common() {
        for bodies in [Bodies::batches(Form::Json, 2), Bodies::singles(Form::Json, 2)] {
            let requests = 5 * DEVICES / bodies.events;
            let lines = sent(&bodies, requests);
            let keys: HashSet<_> = lines
                .iter()
                .map(|l| {
                    let event: Value = serde_json::from_str(l).unwrap();
                    let at = event["at"].as_i64().unwrap();
                    assert!(at < chrono::Utc::now().timestamp_millis());
                    (at, event["device"].as_str().unwrap().to_owned())
                })
                .collect();
            assert_eq!(keys.len(), 5_000);
            let size = bodies.event_bytes();
            assert!((190.0..210.0).contains(&size), "{size}");
        }
    }

    #[test]
    fn lines_say_the_same_as_events() {
        let events = sent(&Bodies::batches(Form::Json, 1), 1);
        let lines = sent(&Bodies::batches(Form::Lines, 1), 1);
        assert_eq!(events.len(), lines.len());
        for (event, line) in events.iter().zip(&lines) {
            let event: Value = serde_json::from_str(event).unwrap();
            let [key, fields, time] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            assert_eq!(key, format!("readings,device={},site={}", text("device"), text("site")));
            for field in fields.split(',') {
                let (name, value) = field.split_once('=').unwrap();
                assert_eq!(event[name].as_f64().unwrap(), value.parse::<f64>().unwrap());
            }
            // Taken a moment apart.
            let apart = time.parse::<i64>().unwrap() - event["at"].as_i64().unwrap();
            assert!(apart.abs() < 60_000, "{apart}");
        }
    }
}
