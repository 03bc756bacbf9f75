//! Who runs on which core. What is measured has one for itself; whatever loads it has another.

use anyhow::Context;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// What is measured.
pub const SUBJECT: usize = 0;
/// What loads it, and what is not to be measured.
pub const LOAD: usize = 1;

/// Keeps a thread on these cores, and what it starts from now on; a process is named by its only thread. `None` is the calling thread.
pub fn keep(thread: Option<i32>, cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core).with_context(|| format!("there is no core {core}"))?;
    }
    let thread = Pid::from_raw(thread.unwrap_or(0));
    sched_setaffinity(thread, &set).with_context(|| format!("{cores:?} cannot be kept to"))
}

/// Keeps all threads of a process on these cores.
pub fn keep_process(process: i32, cores: &[usize]) -> anyhow::Result<()> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
        let id = thread.file_name().to_string_lossy().parse()?;
        match keep(Some(id), cores) {
            // It ended meanwhile.
            Err(_) if !thread.path().exists() => {}
            other => other?,
        }
    }
    Ok(())
}

/// Cores that this process may use, in rising order.
pub fn all() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect()
}

/// Whether subject and load can have a core each; rows of a smaller machine share one, and say so.
pub fn apart() -> bool {
    let all = all();
    all.contains(&SUBJECT) && all.contains(&LOAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_kept_and_so_is_what_it_starts() {
        let core = all()[0];
        let kept = std::thread::spawn(move || {
            keep(None, &[core]).unwrap();
            std::process::Command::new("grep")
                .args(["Cpus_allowed_list", "/proc/self/status"])
                .output()
                .unwrap()
                .stdout
        });
        let told = String::from_utf8(kept.join().unwrap()).unwrap();
        assert_eq!(told.split_whitespace().last(), Some(core.to_string().as_str()));
    }
}
