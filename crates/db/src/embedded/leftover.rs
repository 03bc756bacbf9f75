//! What a crash left: a server that still runs, or a `postmaster.pid` that names a process which is now another's.
//!
//! A process is taken for one of this database only when its executable is `postgres` and its working directory is the data directory, never by
//! its number alone.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{EmbeddedError, account::Account, binaries::Binaries, io_error, place::Place};

/// How long processes get to end: those that lost their postmaster notice within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing of an earlier server runs when this returns, and no stale `postmaster.pid` is there.
pub(super) fn clear(place: &Place, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    let pid_file = place.data().join("postmaster.pid");
    if !Path::new("/proc/self/cwd").exists() {
        // No Linux: PostgreSQL's own check of the file has to do.
        return Ok(());
    }
    let left = processes_of(place.data());
    if !left.is_empty() {
        tracing::warn!(processes = ?left, "a PostgreSQL of an earlier run is left over; it is stopped");
        let postmaster = pid_in(&pid_file).filter(|pid| left.contains(pid));
        for mode in ["fast", "immediate"] {
            // One without a postmaster ends by itself.
            if postmaster.is_some() && !processes_of(place.data()).is_empty() {
                stop(place, binaries, account, mode)?;
            }
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            let pids = processes_of(place.data());
            if pids.is_empty() {
                break;
            }
            if Instant::now() > patience {
                let data = place.data().to_owned();
                return Err(EmbeddedError::Leftover { data, pids });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    match fs::remove_file(&pid_file) {
        Ok(()) => tracing::info!("PostgreSQL did not end cleanly; it will recover what was committed"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error("cannot remove", &pid_file)(e)),
    }
    Ok(())
}

fn stop(place: &Place, binaries: &Binaries, account: &Account, mode: &str) -> Result<(), EmbeddedError> {
    let program = binaries.program("pg_ctl");
    let mut command = account.command(&program);
    command
        .arg("stop")
        .arg("-D")
        .arg(place.data())
        .args(["-m", mode, "-w", "-t", "60"]);
    // Its failure shows: the processes are still there.
    command.output().map(drop).map_err(io_error("cannot run", &program))
}

/// The process that the first line of a `postmaster.pid` names.
pub(super) fn pid_in(pid_file: &Path) -> Option<i32> {
    fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()
}

/// Every `postgres` that works in `data`.
pub(super) fn processes_of(data: &Path) -> Vec<i32> {
    let Ok(data) = fs::canonicalize(data) else {
        return Vec::new();
    };
    let works_here = |pid: &i32| {
        let process = Path::new("/proc").join(pid.to_string());
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        // An upgraded one reads "postgres (deleted)".
        let is_postgres = program
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("postgres"));
        is_postgres && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(works_here).collect()
}
