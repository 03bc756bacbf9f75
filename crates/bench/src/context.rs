//! What every row works with.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Options and places of one invocation.
pub struct Context {
    /// Interleaved runs of each figure.
    pub runs: usize,
    /// How long each load is applied in one run.
    pub seconds: Duration,
    /// How long the sustained load is applied at the rate that is told.
    pub sustained: Duration,
    /// The real server's binary, release build.
    pub server: PathBuf,
    /// The site that the server serves (release build), for the rows that open pages.
    pub site: PathBuf,
    /// Where data of the run lies: a real disk, not tmpfs.
    pub dir: PathBuf,
    /// The root of the checkout: `end2end`, `server/demo` lie under it.
    pub root: PathBuf,
    /// Events a second that a dashboard is looked at under.
    pub load: u32,
    /// The scaled run: 100 million rows where it is 20 million otherwise.
    pub full: bool,
    /// A runtime of one thread on [`crate::cores::LOAD`], for whatever sends.
    pub senders: Handle,
}

impl Context {
    /// An empty directory on the disk of the run, that others than the user may pass through; it goes when it is dropped.
    pub fn scratch(&self, name: &str) -> anyhow::Result<TempDir> {
        use std::os::unix::fs::PermissionsExt;
        tempfile::Builder::new()
            .prefix(&format!("dash-bench-{name}-"))
            // PostgreSQL runs as another user when this is root.
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir_in(&self.dir)
            .with_context(|| format!("--dir {} cannot be written to", self.dir.display()))
    }

    /// How far a row is: a line on standard error.
    pub fn say(&self, what: &str) {
        progress(&format!("    {what}"));
    }
}

/// A line on standard error, with the time of day: the whole takes half an hour.
pub fn progress(what: &str) {
    use std::io::Write;
    let now = chrono::Local::now().format("%H:%M:%S");
    // Nobody may be listening, and the figures are told all the same.
    let _ = writeln!(std::io::stderr(), "{now} {what}");
}
