//! What lies where. `dir` is [`Options::dir`]:
//!
//! ```text
//! dir/lock           held by the one Dash that uses this directory
//! dir/postgres.log   PostgreSQL's log; postgres.log.1 is the one before, once it had grown long
//! home/data          the database, owned by the user that PostgreSQL runs as
//! home/run           the socket
//! home/pg_hba.conf, home/pg_ident.conf   who may connect; written at every start, owned by who runs Dash
//! ```
//!
//! `home` is `dir`, unless Dash runs as root in a directory that PostgreSQL's user cannot reach, such as one below `/root`. Opening
//! up a directory that is not Dash's own would be wrong, so `home` is then a directory below [`Options::fallback`], named after
//! `dir`, and `dir/data` is a link into it. The link decides: where it is missing, `dir` was made anew, and data that is left there
//! is set aside (`*.unlinked-*`), never used and never deleted.
//!
//! A socket's path can have 107 bytes. Where `home/run` is too long or has unusual characters, `run` is a new directory in `/tmp` and `dir/run` a link
//! to it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use super::{EmbeddedError, Options, account::Account, io_error};

/// Held as long as the server runs.
pub(super) type Lock = Flock<File>;

const LONGEST_SOCKET_PATH: usize = 107;
const SOCKET_NAME: &str = ".s.PGSQL.5432";
const TEMPORARY: &str = "/tmp/dash-";
/// Bytes of a log that is set aside at the next start.
const LONG_LOG: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    home: PathBuf,
    data: PathBuf,
    run: PathBuf,
    log: PathBuf,
}

impl Place {
    /// Makes `dir`, locks it and decides where `home` is.
    pub fn claim(options: &Options, account: &Account) -> Result<(Self, Lock), EmbeddedError> {
        let dir = &options.dir;
        if !dir.exists() {
            fs::create_dir_all(dir).map_err(io_error("cannot make", dir))?;
            // Passed through by PostgreSQL's user, not listed.
            set_mode(dir, 0o711)?;
        }
        let dir = fs::canonicalize(dir).map_err(io_error("cannot find", dir))?;
        let lock = lock(&dir)?;
        let home = home(&dir, options, account)?;
        let place = Self {
            data: home.join("data"),
            run: home.join("run"),
            log: options.log.clone().unwrap_or_else(|| dir.join("postgres.log")),
            home,
            dir,
        };
        Ok((place, lock))
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn run(&self) -> &Path {
        &self.run
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The version that made the database; none when there is none yet.
    pub fn major(&self) -> Option<u32> {
        fs::read_to_string(self.data.join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Makes an empty directory for the socket, and clears away that of the life before.
    pub fn make_run_dir(&mut self, account: &Account) -> Result<(), EmbeddedError> {
        let usual = self.home.join("run");
        let link = self.dir.join("run");
        if let Ok(old) = fs::read_link(&link) {
            // Not following: a link that somebody else made is left alone.
            if old.as_os_str().as_bytes().starts_with(TEMPORARY.as_bytes()) {
                let _ = fs::remove_dir_all(&old);
            }
            fs::remove_file(&link).map_err(io_error("cannot remove", &link))?;
        }
        match fs::remove_dir_all(&usual) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error("cannot clear", &usual)(e)),
            _ => {}
        }
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-".contains(b);
        let bytes = usual.as_os_str().as_bytes();
        let usable = bytes.len() + 1 + SOCKET_NAME.len() <= LONGEST_SOCKET_PATH && bytes.iter().all(plain);
        self.run = match usable {
            true => usual,
            false => format!("{TEMPORARY}{:016x}", rand::random::<u64>()).into(),
        };
        // Fails when it exists: nobody can have prepared it.
        let made = DirBuilder::new().mode(0o700).create(&self.run);
        made.map_err(io_error("cannot make", &self.run))?;
        account
            .own(&self.run)
            .map_err(io_error("cannot give away", &self.run))?;
        if !usable {
            symlink(&self.run, &link).map_err(io_error("cannot link", &link))?;
        }
        Ok(())
    }

    /// The new database is in place: from now on `dir` knows where.
    pub fn link_data(&self) -> Result<(), EmbeddedError> {
        if self.home != self.dir {
            let link = self.dir.join("data");
            symlink(&self.data, &link).map_err(io_error("cannot link", &link))?;
        }
        Ok(())
    }

    /// The log, to be written to; a long one is set aside.
    pub fn open_log(&self) -> Result<File, EmbeddedError> {
        if fs::metadata(&self.log).is_ok_and(|m| m.len() > LONG_LOG) {
            let mut before = self.log.clone().into_os_string();
            before.push(".1");
            fs::rename(&self.log, before).map_err(io_error("cannot rename", &self.log))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o640);
        options.open(&self.log).map_err(io_error("cannot write to", &self.log))
    }
}

fn lock(dir: &Path) -> Result<Lock, EmbeddedError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(io_error("cannot open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => EmbeddedError::InUse { dir: dir.to_owned() },
        other => io_error("cannot lock", &path)(other.into()),
    })
}

fn home(dir: &Path, options: &Options, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let data = dir.join("data");
    let reachable = account.reaches(dir).map_err(io_error("cannot look at", dir))?;
    if let Ok(target) = fs::read_link(&data) {
        if let (true, Some(home)) = (target.exists(), target.parent()) {
            return Ok(home.to_owned());
        }
        tracing::warn!(data = %target.display(), "the database is gone; an empty one is made");
        fs::remove_file(&data).map_err(io_error("cannot remove", &data))?;
    } else if data.exists() && !reachable {
        return Err(EmbeddedError::Unreachable {
            dir: dir.to_owned(),
            user: account.name.clone(),
        });
    }
    if reachable {
        return Ok(dir.to_owned());
    }
    let name = hex(&Sha256::digest(dir.as_os_str().as_bytes())[..8]);
    let home = options.fallback.join(&name);
    if home.join("data").exists() {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let aside = options.fallback.join(format!("{name}.unlinked-{}", now.as_nanos()));
        fs::rename(&home, &aside).map_err(io_error("cannot set aside", &home))?;
        tracing::warn!(aside = %aside.display(), "a database that no directory leads to any more was set aside");
    }
    if !home.exists() {
        let made = fs::create_dir_all(&home);
        made.map_err(io_error(
            "the directory of Dash cannot be reached by PostgreSQL's user, and cannot make instead",
            &home,
        ))?;
        set_mode(&options.fallback, 0o711)?;
        set_mode(&home, 0o711)?;
    }
    tracing::info!(home = %home.display(), user = account.name, dir = %dir.display(),
        "PostgreSQL's user cannot reach Dash's directory; the database is kept elsewhere");
    Ok(home)
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), EmbeddedError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_error("cannot set the mode of", path))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
