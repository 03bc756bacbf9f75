//! Ingest keys of the demo's pipelines, in the data directory and readable by its owner alone: the database keeps only hashes, and
//! the home page shows a newcomer a line that works.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

#[derive(Default)]
pub struct DemoKeys {
    path: PathBuf,
    keys: BTreeMap<String, String>,
}

impl DemoKeys {
    /// Those of a data directory; none when there is no file yet.
    pub fn read(data: &Path) -> Result<Self, Failure> {
        let path = data.join("demo-keys.json");
        let keys = match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|e| Failure::internal(format!("{}: {e}", path.display())))?
            }
            Err(e) if e.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Failure::internal(format!("{}: {e}", path.display()))),
        };
        Ok(Self { path, keys })
    }

    pub fn get(&self, slug: &str) -> Option<&str> {
        self.keys.get(slug).map(String::as_str)
    }

    pub fn insert(&mut self, slug: String, key: String) -> Result<(), Failure> {
        self.keys.insert(slug, key);
        self.write()
            .map_err(|e| Failure::internal(format!("{}: {e}", self.path.display())))
    }

    /// Whole or not at all.
    fn write(&self) -> std::io::Result<()> {
        let draft = self.path.with_extension("draft");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(&self.keys)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_come_back_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().expect("directory");
        let mut keys = DemoKeys::read(dir.path()).expect("none yet");
        keys.insert("a".into(), "secret".into()).expect("written");
        assert_eq!(DemoKeys::read(dir.path()).expect("read").get("a"), Some("secret"));
        let mode = fs::metadata(dir.path().join("demo-keys.json"))
            .expect("file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
