//! Runs a command with a PostgreSQL for its tests: `test-postgres [--dir <directory>] -- <command> [argument...]`.
//!
//! Starts a server in a temporary directory (or in one that is kept), names it in DASH_TEST_DATABASE_URL, runs the command, stops the server and
//! ends with the command's status.

use std::{
    env,
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
};

use dash_db::test_support::{TestServer, URL_VARIABLE};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        // As a shell tells of a signal.
        Ok(status) => {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command line program says what went wrong")]
            {
                eprintln!("test-postgres: {error}");
            }
            ExitCode::from(125)
        }
    }
}

async fn run() -> Result<ExitStatus, Box<dyn std::error::Error>> {
    let (dir, command) = arguments(env::args_os().skip(1).collect())?;
    // From here on a signal ends the command, not this process, which has to stop the server.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = TestServer::start(dir.as_deref()).await?;
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env(URL_VARIABLE, server.url().expose_secret())
        .spawn()
        .map_err(|e| format!("cannot run {}: {e}", command[0].display()))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            // The terminal sends it to the whole group, so also to the command.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => if let Some(id) = child.id() {
                kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM)?;
            },
        }
    };
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(status)
}

fn arguments(all: Vec<OsString>) -> Result<(Option<PathBuf>, Vec<OsString>), String> {
    let usage = "usage: test-postgres [--dir <directory>] -- <command> [argument...]";
    let split = all.iter().position(|a| a == "--").ok_or(usage)?;
    let command = all[split + 1..].to_vec();
    let dir = match &all[..split] {
        [] => None,
        [flag, dir] if flag == "--dir" => Some(dir.into()),
        _ => return Err(usage.into()),
    };
    if command.is_empty() {
        return Err(usage.into());
    }
    Ok((dir, command))
}
