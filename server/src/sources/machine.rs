//! Samples of the machine that Dash runs on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dash_ingest::{Encoding, Format};
use serde_json::{Value, json};
use sysinfo::{Disks, Networks, System};
use tokio::time::{MissedTickBehavior, interval};

use crate::{catalog::Entry, ingest::Posted, state::State};

/// Samples between two looks at the disks: they change slowly and cost a system call each.
const DISKS_EVERY: u64 = 5;

/// Samples for ever. A sample that is not taken is lost and said: the next one is a second away.
pub async fn run(state: State, entry: Arc<Entry>, interval_ms: u64) {
    let mut sampler = match Sampler::new() {
        Ok(sampler) => sampler,
        Err(error) => {
            tracing::warn!(pipeline = %entry.pipeline.slug, %error, "this machine cannot be sampled");
            return;
        }
    };
    // The use of a processor is told between two looks: the first sample would say that there is none.
    tokio::time::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL).await;
    let mut clock = interval(Duration::from_millis(interval_ms));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let sampled = tokio::task::spawn_blocking(move || {
            let records = sampler.sample();
            (sampler, records)
        });
        let Ok((back, records)) = sampled.await else { return };
        sampler = back;
        let lines = records
            .iter()
            .flat_map(|r| [r.to_string(), "\n".into()])
            .collect::<String>();
        let posted = Posted {
            body: Bytes::from(lines),
            format: Format::Ndjson,
            encoding: Encoding::Identity,
            key: None,
            meta: Bytes::from_static(br#"{"source":"sysinfo"}"#),
        };
        if let Err(error) = state.ingest.accept(&entry, posted).await {
            tracing::warn!(pipeline = %entry.pipeline.slug, %error, "a sample was not taken");
        }
    }
}

struct Sampler {
    system: System,
    networks: Networks,
    disks: Disks,
    samples: u64,
    last: Instant,
}

impl Sampler {
    fn new() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        Ok(Self {
            system,
            networks: Networks::new_with_refreshed_list()?,
            disks: Disks::new()?,
            samples: 0,
            last: Instant::now(),
        })
    }

    /// One record for each core, disk and interface, and for memory and load.
    fn sample(&mut self) -> Vec<Value> {
        let at = crate::clock::now().millis();
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let mut records: Vec<Value> = self
            .system
            .cpus()
            .iter()
            .map(|cpu| json!({"at": at, "cpu": {"core": cpu.name(), "usage": round(cpu.usage().into())}}))
            .collect();
        records.push(
            json!({"at": at, "memory": {"used": self.system.used_memory(), "total": self.system.total_memory()}}),
        );
        if let Ok(load) = System::load_average() {
            records.push(json!({"at": at, "load": {"one": load.one, "five": load.five, "fifteen": load.fifteen}}));
        }
        records.extend(self.disks(at));
        records.extend(self.networks(at));
        self.samples += 1;
        records
    }

    fn disks(&mut self, at: i64) -> Vec<Value> {
        if !self.samples.is_multiple_of(DISKS_EVERY) {
            return Vec::new();
        }
        self.disks.refresh(true);
        // The same disk may be mounted at several places, in containers above all.
        let mut seen = std::collections::HashSet::new();
        let disks = self
            .disks
            .iter()
            .filter(|d| d.total_space() > 0 && seen.insert(d.name().to_owned()));
        disks
            .map(|d| {
                let used = d.total_space() - d.available_space();
                json!({"at": at, "disk": {"mount": d.mount_point().to_string_lossy(), "used": used, "total": d.total_space()}})
            })
            .collect()
    }

    /// One record for each interface, and one for all of them but the loopback.
    fn networks(&mut self, at: i64) -> Vec<Value> {
        self.networks.refresh(true);
        let seconds = self.last.elapsed().as_secs_f64().max(0.001);
        self.last = Instant::now();
        let rate = |bytes: u64| round(bytes as f64 / seconds);
        let (mut received, mut sent) = (0, 0);
        let mut records = Vec::new();
        for (name, n) in &self.networks {
            let name = name.to_string_lossy();
            if name != "lo" {
                received += n.received();
                sent += n.transmitted();
            }
            let rates =
                json!({"interface": name, "received_per_s": rate(n.received()), "sent_per_s": rate(n.transmitted())});
            records.push(json!({"at": at, "network": rates}));
        }
        records.push(json!({"at": at, "traffic": {"in_per_s": rate(received), "out_per_s": rate(sent)}}));
        records
    }
}

/// To a hundredth: more would only fill the lake.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_core_memory_and_load() {
        let mut sampler = Sampler::new().expect("a machine");
        let records = sampler.sample();
        let with = |key: &str| records.iter().filter(|r| r.get(key).is_some()).count();
        assert_eq!(with("cpu"), sampler.system.cpus().len());
        assert_eq!((with("memory"), with("load")), (1, 1));
        assert!(records.iter().all(|r| r["at"].is_i64()));
    }
}
