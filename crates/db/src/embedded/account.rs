//! As whom PostgreSQL runs: as who started Dash, or, as PostgreSQL refuses root, as `postgres` or `nobody`.

use std::{
    ffi::OsStr,
    io,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

use super::EmbeddedError;

#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The user that PostgreSQL runs as.
    pub name: String,
    /// The user that runs Dash; it may connect.
    pub client: String,
    /// User and group to change to.
    switch: Option<(u32, u32)>,
}

impl Account {
    pub fn choose() -> Result<Self, EmbeddedError> {
        let uid = geteuid();
        let named = |name| User::from_name(name).ok().flatten();
        let own = User::from_uid(uid).ok().flatten();
        let own = own.ok_or(EmbeddedError::NoName(uid.as_raw()))?;
        if !uid.is_root() {
            return Ok(Self {
                client: own.name.clone(),
                name: own.name,
                switch: None,
            });
        }
        let user = named("postgres").or_else(|| named("nobody"));
        let user = user.ok_or(EmbeddedError::NoAccount)?;
        Ok(Self {
            name: user.name,
            client: own.name,
            switch: Some((user.uid.as_raw(), user.gid.as_raw())),
        })
    }

    /// A command that runs as this user, without other groups, and without Dash's environment, which may hold secrets and `PG...`
    /// variables.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        for kept in ["PATH", "LD_LIBRARY_PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        if let Some((uid, gid)) = self.switch {
            // With a user and no groups named, the standard library drops all supplementary groups.
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Whether this user can pass through to `dir`: found out by going there, so that access lists count too.
    pub fn reaches(&self, dir: &Path) -> io::Result<bool> {
        let mut command = self.command("/bin/sh");
        // The standard library changes the directory after the user.
        command.args(["-c", ":"]).current_dir(dir);
        match command.status() {
            Ok(status) => Ok(status.success()),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Gives a file or directory to this user.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        match self.switch {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}
