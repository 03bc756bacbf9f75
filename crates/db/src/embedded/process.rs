//! The server as a child process that ends with this one.

#![allow(
    unsafe_code,
    reason = "what a child does between fork and exec can only be said by `pre_exec`"
)]

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, getpid, getppid},
};
use tokio::sync::watch;

use super::place::Lock;

#[derive(Debug)]
pub(super) struct Process {
    pid: i32,
    shared: Arc<Shared>,
    exited: watch::Receiver<Option<ExitStatus>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Set in the moment in which the number of the process becomes free for others.
    status: Option<ExitStatus>,
    asked_to_stop: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts `command` on a thread that stays until the child has ended: the kernel takes "the parent died" to mean the *thread* that
    /// forked, and threads of a runtime come and go. `lock` is let go after the child's end.
    pub fn spawn(mut command: Command, lock: Lock) -> io::Result<Self> {
        // A group of its own: Ctrl-C in a terminal goes to Dash, which stops PostgreSQL when it needs it no more.
        command.process_group(0);
        end_with_parent(&mut command);
        let shared = Arc::new(Shared::default());
        let (tell, exited) = watch::channel(None);
        let (started, start) = mpsc::sync_channel(1);
        let keeper = Arc::clone(&shared);
        thread::Builder::new().name("postgres-keeper".into()).spawn(move || {
            let spawned = command.spawn();
            // Closes this process's copies of the child's log.
            drop(command);
            match spawned {
                Ok(child) => {
                    // The receiver waits below; it cannot be gone.
                    let _ = started.send(Ok(child.id() as i32));
                    let _ = tell.send(keep(child, lock, &keeper));
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        })?;
        let pid = start.recv().map_err(io::Error::other)??;
        Ok(Self { pid, shared, exited })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal that asks the server to end, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut state = self.shared.state();
        state.asked_to_stop = true;
        if state.status.is_none() {
            // Not reaped while the state is locked, so this number is still the child's.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits at most so long for the end.
    pub fn wait(&self, patience: Duration) -> Option<ExitStatus> {
        let running = |s: &mut State| s.status.is_none();
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, patience, running);
        waited.unwrap_or_else(PoisonError::into_inner).0.status
    }

    /// Waits for the end. None when it could not be learned.
    pub async fn exited(&self) -> Option<ExitStatus> {
        let mut exited = self.exited.clone();
        exited.wait_for(Option::is_some).await.ok().and_then(|s| *s)
    }
}

/// Waits for the end of `child` without reaping it, lets go of its directory, and reaps it while nobody can send it a signal.
fn keep(mut child: Child, lock: Lock, shared: &Shared) -> Option<ExitStatus> {
    let pid = Pid::from_raw(child.id() as i32);
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    // Before anybody can learn of the end and start anew.
    drop(lock);
    let mut state = shared.state();
    state.status = child.wait().ok();
    shared.changed.notify_all();
    if let (false, Some(status)) = (state.asked_to_stop, state.status) {
        tracing::error!(%status, "the private PostgreSQL ended by itself; its log says why");
    }
    state.status
}

#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    let parent = getpid();
    let ask = move || {
        // Fast shutdown. The wish outlives exec, but not a change of user, which the standard library makes before this.
        nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
        if getppid() != parent {
            // The parent died before the wish was made.
            return Err(io::ErrorKind::Other.into());
        }
        Ok(())
    };
    // SAFETY: `ask` runs in the forked child, where only async-signal-safe calls are allowed. It makes two system calls and allocates nothing.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
