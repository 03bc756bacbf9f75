//! This process on one core, for as long as something is measured in it.

use std::{collections::HashMap, fs};

use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

use crate::cores;

/// Every thread of this process is on one core, and so is every thread and child that is started meanwhile, until it is dropped: then
/// each thread may go where it could before. Children stay where they were started.
pub struct Pinned {
    before: HashMap<i32, Vec<usize>>,
    all: Vec<usize>,
}

impl Pinned {
    /// # Errors
    /// When the system does not allow it, or the process may not use this core.
    pub fn to(core: usize) -> anyhow::Result<Self> {
        let all = cores::all();
        let mut before = HashMap::new();
        for thread in threads()? {
            if let Ok(set) = sched_getaffinity(Pid::from_raw(thread)) {
                let of = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false));
                before.insert(thread, of.collect());
            }
        }
        let pinned = Self { before, all };
        // Twice, for threads that were started by one that had not been moved yet.
        cores::keep_process(std::process::id().cast_signed(), &[core])?;
        cores::keep_process(std::process::id().cast_signed(), &[core])?;
        Ok(pinned)
    }

    /// Where what is measured runs: on [`cores::SUBJECT`], or the only core that there is.
    ///
    /// # Errors
    /// As [`Pinned::to`].
    pub fn subject() -> anyhow::Result<Self> {
        Self::to(if cores::apart() { cores::SUBJECT } else { only()? })
    }

    /// Beside what is measured: on [`cores::LOAD`], or the only core that there is.
    ///
    /// # Errors
    /// As [`Pinned::to`].
    pub fn load() -> anyhow::Result<Self> {
        Self::to(if cores::apart() { cores::LOAD } else { only()? })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // One that has ended meanwhile cannot be moved, and need not be.
        for thread in threads().unwrap_or_default() {
            let _ = cores::keep(Some(thread), self.before.get(&thread).unwrap_or(&self.all));
        }
    }
}

fn only() -> anyhow::Result<usize> {
    cores::all()
        .first()
        .copied()
        .ok_or_else(|| anyhow::anyhow!("there is no core"))
}

fn threads() -> anyhow::Result<Vec<i32>> {
    let mut threads = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        threads.push(task?.file_name().to_string_lossy().parse()?);
    }
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alone in its process, as nextest runs it: it moves all threads.
    #[test]
    fn a_pinned_process_has_one_core_and_gets_the_others_back() {
        let before = cores::all();
        {
            let _pinned = Pinned::subject().expect("a core");
            assert_eq!(cores::all().len(), 1);
            let inherited = std::thread::spawn(cores::all).join().expect("a thread");
            assert_eq!(inherited, cores::all());
        }
        assert_eq!(cores::all(), before);
    }
}
