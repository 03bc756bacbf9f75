//! A child: started on its cores, watched through /proc, stopped with SIGTERM, and killed when nobody stopped it.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{client, cores};

/// A start may make a database first.
const START: Duration = Duration::from_secs(90);
/// What is on its way is brought to an end before a process ends.
const STOP: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// Ticks of /proc/*/stat a second; the same on every Linux.
const TICKS: u64 = 100;
/// Of the log of a child that failed.
const LAST_LINES: usize = 5;

/// Where a child may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As this process.
    Anywhere,
    /// On one core; on the only one, where there is one.
    Core(usize),
}

impl Place {
    /// The cores, none when they need not be set.
    pub fn cores(self) -> Option<Vec<usize>> {
        match self {
            Self::Core(core) if cores::apart() => Some(vec![core]),
            _ => None,
        }
    }
}

/// A program that runs.
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Of the process itself.
    pub own: Duration,
    /// Of its children and theirs, those that ended included.
    pub children: Duration,
}

impl Cpu {
    pub fn since(self, before: Self) -> Self {
        Self {
            own: self.own.saturating_sub(before.own),
            children: self.children.saturating_sub(before.children),
        }
    }
}

impl Process {
    /// Starts a program whose output goes to the file `log`.
    pub fn start(name: &'static str, mut command: Command, place: Place, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A child inherits the cores of the thread that starts it, and so nothing has to be done between fork and exec.
        let started = std::thread::spawn(move || {
            if let Some(cores) = place.cores() {
                cores::keep(None, &cores)?;
            }
            let program = command.get_program().to_string_lossy().into_owned();
            command
                .spawn()
                .with_context(|| format!("{name}: {program} cannot be started"))
        });
        let child = started
            .join()
            .map_err(|_| anyhow::anyhow!("{name} cannot be started"))??;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Waits until this address answers 200 or 204.
    pub async fn answers(&mut self, address: SocketAddr, path: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if let Ok((200 | 204, _)) = client::get(address, path, None).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}): {}", self.name, self.last_lines());
            }
            ensure!(
                begun.elapsed() < START,
                "{} does not answer after {START:?}: {}",
                self.name,
                self.last_lines()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Used so far.
    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        let own = times(self.id()).with_context(|| format!("{} is gone: {}", self.name, self.last_lines()))?;
        let mut children = own.ended;
        for id in descendants(self.id()) {
            // One that ended meanwhile is in its parent's next figure.
            if let Some(times) = times(id) {
                children += times.own + times.ended;
            }
        }
        Ok(Cpu { own: own.own, children })
    }

    /// Most bytes that the process itself ever had in memory (VmHWM).
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    /// Bytes that the process itself has in memory (VmRSS).
    pub fn memory(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    fn status(&self, key: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix(key));
        let kilobytes: Option<u64> = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
        let bytes = kilobytes.map(|k| k * 1024);
        bytes.with_context(|| format!("{} is gone: {}", self.name, self.last_lines()))
    }

    /// Moves its children, and what they start, to another place; the process itself stays.
    pub fn move_children(&self, place: Place) -> anyhow::Result<()> {
        let cores = place.cores().unwrap_or_else(cores::all);
        for id in descendants(self.id()) {
            match cores::keep_process(id, &cores) {
                Err(_) if !Path::new(&format!("/proc/{id}")).exists() => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} had ended by itself ({status}): {}", self.name, self.last_lines());
        }
        kill(Pid::from_raw(self.id()), Signal::SIGTERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(well(status), "{} ended with {status}: {}", self.name, self.last_lines());
                return Ok(());
            }
            ensure!(begun.elapsed() < STOP, "{} does not end after {STOP:?}", self.name);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What a failure is explained with.
    pub fn last_lines(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// By itself, or of the signal that asked it to.
fn well(status: ExitStatus) -> bool {
    status.success() || status.signal() == Some(Signal::SIGTERM as i32)
}

/// A port of the loopback that was free a moment ago.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Processor time that this process has used so far.
pub fn own_time() -> Duration {
    let id = std::process::id().cast_signed();
    times(id).map_or(Duration::ZERO, |times| times.own)
}

struct Times {
    own: Duration,
    /// Of children that ended and were waited for.
    ended: Duration,
}

fn times(id: i32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = after_name(&stat)?.skip(11).map(|f| f.parse::<u64>().ok());
    let mut ticks = || fields.next().flatten();
    let duration = |ticks: u64| Duration::from_millis(ticks * 1_000 / TICKS);
    let (own, ended) = (ticks()? + ticks()?, ticks()? + ticks()?);
    Some(Times {
        own: duration(own),
        ended: duration(ended),
    })
}

/// Fields of a stat file from the third on; the second is a name, which may contain anything.
fn after_name(stat: &str) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace())
}

/// Children, and theirs.
fn descendants(id: i32) -> Vec<i32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = after_name(&stat).and_then(|mut f| f.nth(1)?.parse::<i32>().ok());
        if let Some(parent) = parent {
            parents.push((process, parent));
        }
    }
    let mut found = vec![id];
    let mut next = 0;
    while let Some(&of) = found.get(next) {
        next += 1;
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == of)
                .map(|(child, _)| *child),
        );
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("a shell", command, Place::Core(cores::SUBJECT), &dir.join("log")).unwrap()
    }

    #[tokio::test]
    async fn time_of_a_process_and_of_its_children_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        // A child works and another has ended; the shell itself waits.
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let process = shell(&format!("sh -c '{busy}'; sh -c '{busy}; sleep 60' & wait"), dir.path());
        let begun = Instant::now();
        let cpu = loop {
            let cpu = process.cpu().unwrap();
            // Of two workers, of which one is gone.
            if cpu.children >= Duration::from_millis(100) || begun.elapsed() > Duration::from_secs(30) {
                break cpu;
            }
            tokio::time::sleep(LOOK).await;
        };
        assert!(cpu.children >= Duration::from_millis(100), "{cpu:?}");
        assert!(cpu.own < cpu.children, "{cpu:?}");
        assert!(process.peak_memory().unwrap() >= process.memory().unwrap());
        for child in descendants(process.id()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
    }

    #[tokio::test]
    async fn what_a_child_said_last_explains_why_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell("echo the disk is on fire; exit 3", dir.path());
        let address = free_address().unwrap();
        let error = process.answers(address, "/").await.unwrap_err().to_string();
        assert!(
            error.contains("the disk is on fire") && error.contains("exit status: 3"),
            "{error}"
        );
        assert!(process.stop().await.is_err());
    }

    #[tokio::test]
    async fn a_child_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let process = shell("exec sleep 60", dir.path());
        let id = process.id();
        process.stop().await.unwrap();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_child_that_nobody_stopped_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let process = shell("exec sleep 60", dir.path());
        let id = process.id();
        drop(process);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
