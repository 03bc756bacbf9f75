//! Processor time of this process: what the senders use, and what all else does. PostgreSQL is another process and not in it.

use std::{fs, time::Duration};

/// Threads of the senders have names that begin so; the kernel keeps 15 bytes.
pub const SENDER: &str = "bench-send";

/// Ticks of /proc/*/stat a second; the same on every Linux.
const TICKS: u64 = 100;

#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub server: Duration,
    pub senders: Duration,
}

impl Cpu {
    /// Since the process began; nothing where there is no /proc.
    pub fn now() -> Option<Self> {
        let all = ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let mut senders = Duration::ZERO;
        for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            if read("comm").starts_with(SENDER) {
                senders += ticks(&read("stat")).unwrap_or_default();
            }
        }
        Some(Self {
            server: all.saturating_sub(senders),
            senders,
        })
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            senders: self.senders.saturating_sub(before.senders),
        }
    }
}

/// utime and stime, the 14th and 15th field; the second is a name, which may contain anything.
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut field = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((field()? + field()?) * 1_000 / TICKS))
}
