//! The migrations are compiled in: a changed one must be noticed, and told apart from the one before.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::Path,
};

fn main() -> io::Result<()> {
    let mut hash = DefaultHasher::new();
    add(Path::new("../../migrations"), &mut hash)?;
    #[allow(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]
    {
        println!("cargo:rerun-if-changed=../../migrations");
        println!("cargo:rustc-env=DASH_MIGRATIONS_HASH={:016x}", hash.finish());
    }
    Ok(())
}

fn add(path: &Path, hash: &mut DefaultHasher) -> io::Result<()> {
    path.hash(hash);
    if !path.is_dir() {
        fs::read(path)?.hash(hash);
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?
        .map(|e| Ok(e?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| add(entry, hash))
}
