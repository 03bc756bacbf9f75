//! Programs of others: they run as children, on the cores of this process, and answer with one line of JSON.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;

/// The Python that `make bench` keeps the packages of others in.
pub fn python() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    cache.unwrap_or_default().join("dash/bench-venv/bin/python")
}

/// Whether this Python package can be imported there.
pub fn has_package(name: &str) -> bool {
    let import = format!("import {name}");
    let done = Command::new(python()).args(["-c", &import]).output();
    done.is_ok_and(|out| out.status.success())
}

/// Whether this program, asked for its version in this way, answers.
pub fn answers<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|out| out.status.success())
}

/// Runs it to its end and reads the last line that it printed.
///
/// # Errors
/// When it cannot be started, fails (with what it said) or prints something else.
pub fn ask<T: DeserializeOwned>(command: &mut Command) -> anyhow::Result<T> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("{program} cannot be run"))?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(
        out.status.success(),
        "{program} failed ({}): {}",
        out.status,
        said.trim()
    );
    let printed = String::from_utf8_lossy(&out.stdout);
    let line = printed.trim().lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{program} printed {line:?}"))
}
