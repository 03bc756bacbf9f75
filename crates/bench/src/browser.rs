//! The scripts of `end2end/bench`: what is seen in Chromium. Options go in as JSON on standard input, the answer comes as JSON.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    runtime::Handle,
    time::timeout,
};

use crate::{context::Context, cores};

/// A script that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs `end2end/bench/<script>.mjs`; an error says what it wrote to its standard error.
pub async fn run<T: DeserializeOwned>(context: &Context, script: &str, options: &impl Serialize) -> anyhow::Result<T> {
    let dir = context.root.join("end2end");
    ensure!(
        dir.join("node_modules/.package-lock.json").exists(),
        "Playwright is not installed: `scripts/browser-packages` does it"
    );
    let mut command = Command::new("node");
    command
        .arg(format!("bench/{script}.mjs"))
        .current_dir(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = beside(command)?;
    let mut input = child.stdin.take().context("node has no standard input")?;
    // Not as arguments, which everybody can read: there is a key in it. One that ends early says why on its standard error.
    let _ = input.write_all(&serde_json::to_vec(options)?).await;
    drop(input);
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .with_context(|| format!("{script}.mjs did not end within {PATIENCE:?}"))??;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{script}.mjs: {}", complaint.trim());
    serde_json::from_slice(&output.stdout).with_context(|| format!("{script}.mjs answered something else"))
}

/// Starts it, and with it the browser, on the core that is not the server's: its machine is another one usually.
fn beside(mut command: Command) -> anyhow::Result<Child> {
    let runtime = Handle::current();
    let started = std::thread::spawn(move || {
        let _in_runtime = runtime.enter();
        if cores::apart() {
            cores::keep(None, &[cores::LOAD])?;
        }
        command
            .spawn()
            .context("node cannot be started: install Node.js 20 or newer")
    });
    started.join().map_err(|_| anyhow::anyhow!("node cannot be started"))?
}
