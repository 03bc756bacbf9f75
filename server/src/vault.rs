//! The key to the secrets in the database, and its file beside a private one.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use dash_vault::{Key, Vault};
use secrecy::ExposeSecret as _;

use crate::config::Secrets;

/// The configured keys, or the one in the file, which is made when it is missing.
///
/// # Errors
/// When the file cannot be made or read, or holds something else.
pub fn open(secrets: &Secrets) -> anyhow::Result<Vault> {
    let newest = match &secrets.newest {
        Some(key) => key.clone(),
        None => kept(&secrets.file)?,
    };
    Ok(Vault::new(newest, secrets.older.clone()))
}

fn kept(file: &Path) -> anyhow::Result<Key> {
    let failed = || {
        format!(
            "the key of the secrets in the private database: {}; restore that file from a backup, or set DASH_SECRET_KEY",
            file.display()
        )
    };
    match make(file) {
        // Another process may have been faster.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        made => made.with_context(failed)?,
    }
    let text = zeroize::Zeroizing::new(fs::read_to_string(file).with_context(failed)?);
    text.parse().with_context(failed)
}

/// Written whole beside its place first: who finds the file finds a whole key.
fn make(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let dir = file.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(dir)?;
    let new = file.with_extension(format!("{}.new", uuid::Uuid::now_v7()));
    let written = write(&new).and_then(|()| fs::hard_link(&new, file));
    let _ = fs::remove_file(&new);
    written?;
    // The name has to be on the disk before the first secret is sealed with it.
    fs::File::open(dir)?.sync_all()
}

fn write(file: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{}", Key::random().to_hex().expose_secret())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn secrets(dir: &Path) -> Secrets {
        Secrets {
            newest: None,
            older: Vec::new(),
            file: dir.join("data/secret.key"),
        }
    }

    #[test]
    fn the_file_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets = secrets(dir.path());
        let keys: Vec<Key> = std::thread::scope(|s| {
            let all: Vec<_> = (0..8)
                .map(|_| s.spawn(|| kept(&secrets.file).expect("a key")))
                .collect();
            all.into_iter().map(|t| t.join().expect("joined")).collect()
        });
        assert!(keys.iter().all(|k| *k == keys[0]), "processes that start at once agree");
        let mode = fs::metadata(&secrets.file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = fs::read_dir(dir.path().join("data")).expect("the directory").count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn a_damaged_file_is_told_of_and_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets = secrets(dir.path());
        fs::create_dir_all(dir.path().join("data")).expect("made");
        fs::write(&secrets.file, "half a ke").expect("written");
        let error = format!("{:#}", open(&secrets).expect_err("refused"));
        assert!(
            error.contains("secret.key") && error.contains("DASH_SECRET_KEY"),
            "{error}"
        );
        assert!(!error.contains("half a ke"), "{error}");
        assert_eq!(fs::read_to_string(&secrets.file).expect("there"), "half a ke");
    }
}
