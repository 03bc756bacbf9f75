//! Finds PostgreSQL on the machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{EmbeddedError, account::Account};

const OLDEST: u32 = 15;

#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// `explicit` is used or refused. Otherwise the first of `PATH`, or the newest of the usual places. A database that is there needs
    /// the very `major` that made it.
    pub fn find(explicit: Option<&Path>, major: Option<u32>, account: &Account) -> Result<Self, EmbeddedError> {
        let fits = |b: &Self| major.map_or(b.major >= OLDEST, |m| b.major == m);
        if let Some(dir) = explicit {
            let bad = |why| EmbeddedError::Binaries {
                dir: dir.to_owned(),
                why,
            };
            let found = Self::at(dir, account).map_err(bad)?;
            return match (fits(&found), major) {
                (true, _) => Ok(found),
                (false, Some(m)) => Err(bad(format!(
                    "it is version {}, but the database was made by {m}",
                    found.major
                ))),
                (false, None) => Err(bad(format!("it is version {}", found.major))),
            };
        }
        let on_path = env::var_os("PATH").unwrap_or_default();
        // A link, as Debian's users make them, must lead to the directory that has all of PostgreSQL.
        let on_path = env::split_paths(&on_path)
            .filter_map(|dir| Some(fs::canonicalize(dir.join("postgres")).ok()?.parent()?.to_owned()));
        if let Some(found) = on_path.filter_map(|dir| Self::at(&dir, account).ok()).find(fits) {
            return Ok(found);
        }
        usual_places()
            .iter()
            .filter_map(|dir| Self::at(dir, account).ok())
            .filter(fits)
            .max_by_key(|b| b.major)
            .ok_or_else(|| EmbeddedError::NotFound {
                wanted: major.map_or_else(
                    || format!("{OLDEST} or newer"),
                    |m| format!("{m}, which made this database,"),
                ),
                looked: "PATH, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin and pg_config --bindir".into(),
                install: major.unwrap_or(OLDEST),
            })
    }

    /// Checks that all that is needed is there and that `account` may run it.
    fn at(dir: &Path, account: &Account) -> Result<Self, String> {
        for name in ["postgres", "initdb", "pg_ctl"] {
            if !dir.join(name).is_file() {
                return Err(format!("it has no {name}"));
            }
        }
        let out = account.command(dir.join("postgres")).arg("--version").output();
        let out = out.map_err(|e| format!("{} cannot run its postgres: {e}", account.name))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let major = major_of(&text).ok_or_else(|| format!("its postgres says {:?} for a version", text.trim()))?;
        Ok(Self {
            dir: dir.to_owned(),
            major,
        })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether TimescaleDB can be preloaded.
    pub fn has_timescaledb(&self) -> bool {
        let named = ask(&self.dir.join("pg_config"), "--pkglibdir");
        let libraries = named.unwrap_or_else(|| self.dir.join("../lib"));
        ["timescaledb.so", "timescaledb.dylib"]
            .iter()
            .any(|name| libraries.join(name).is_file())
    }
}

/// `postgres (PostgreSQL) 15.20 (Debian 15.20-1)` is 15; so is `15beta1`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|e| e.file_name().to_string_lossy().starts_with(prefix));
        places.extend(named.map(|e| e.path().join("bin")));
    }
    places.push("/usr/local/pgsql/bin".into());
    places.extend(ask(Path::new("pg_config"), "--bindir"));
    places
}

fn ask(pg_config: &Path, what: &str) -> Option<PathBuf> {
    let out = Command::new(pg_config).arg(what).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    (out.status.success() && !text.trim().is_empty()).then(|| text.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_the_number_before_the_dot() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("postgres: not found"), None);
    }

    #[test]
    fn a_directory_without_postgresql_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let account = Account::choose().expect("an account");
        let error = Binaries::find(Some(dir.path()), None, &account)
            .expect_err("nothing there")
            .to_string();
        assert!(
            error.starts_with("DASH_POSTGRES_BIN: ") && error.contains("no postgres"),
            "{error}"
        );
    }

    #[test]
    fn a_database_of_another_major_version_says_which_to_install() {
        let account = Account::choose().expect("an account");
        let error = Binaries::find(None, Some(3), &account)
            .expect_err("there is no PostgreSQL 3")
            .to_string();
        assert!(
            error.contains("PostgreSQL 3, which made") && error.contains("postgresql-3`"),
            "{error}"
        );
    }
}
