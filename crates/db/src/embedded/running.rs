//! The private server of another Dash: commands use it while that one runs.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use nix::fcntl::{Flock, FlockArg};
use secrecy::SecretString;

use super::{NAME, Options, url_of};

/// The address of the server that runs in `options.dir` now, started by another process; nothing when none does.
pub fn running(options: &Options) -> Option<SecretString> {
    let dir = fs::canonicalize(&options.dir).ok()?;
    let lock = OpenOptions::new().write(true).open(dir.join("lock")).ok()?;
    // Whoever holds it runs the server; an exclusive lock that we get is given back at once.
    if Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok() {
        return None;
    }
    let run: PathBuf = match fs::read_link(dir.join("run")) {
        Ok(elsewhere) => elsewhere,
        Err(_) => match fs::read_link(dir.join("data")) {
            Ok(data) => data.parent()?.join("run"),
            Err(_) => dir.join("run"),
        },
    };
    run.exists().then(|| url_of(&run, NAME).into())
}
