//! A small disk that can be filled.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Mounted until it is dropped.
pub struct Tmpfs {
    dir: PathBuf,
    mounted: bool,
}

impl Tmpfs {
    /// # Errors
    /// When it cannot be mounted: that needs root.
    pub fn mount(dir: &Path, mib: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(dir)?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir))?;
        Ok(Self {
            dir: dir.to_owned(),
            mounted: true,
        })
    }

    fn ballast(&self) -> PathBuf {
        self.dir.join("ballast")
    }

    /// Takes what is free. Answers how many bytes that were.
    pub fn fill(&self) -> anyhow::Result<u64> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast())?;
        let mut taken = 0;
        // Ever smaller pieces, until not even one byte fits.
        let mut piece = vec![0xff; 1 << 20];
        while !piece.is_empty() {
            match file.write(&piece) {
                Ok(n) if n > 0 => taken += n as u64,
                _ => piece.truncate(piece.len() / 2),
            }
        }
        Ok(taken)
    }

    /// Gives it back.
    pub fn free(&self) -> anyhow::Result<()> {
        fs::remove_file(self.ballast()).context("removing what filled the disk")
    }

    /// Unmounts it; what is on it is copied before where that is asked for.
    pub fn close(mut self, copy: Option<&Path>) -> anyhow::Result<()> {
        if let Some(copy) = copy {
            // The ballast is large and says nothing.
            let _ = File::create(self.ballast());
            run(Command::new("cp").arg("-a").arg(&self.dir).arg(copy))?;
        }
        self.unmount()
    }

    fn unmount(&mut self) -> anyhow::Result<()> {
        self.mounted = false;
        run(Command::new("umount").arg(&self.dir))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            // Somebody still uses it: it goes when they end.
            let _ = run(Command::new("umount").arg("-l").arg(&self.dir));
        }
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let out = command
        .output()
        .with_context(|| format!("running {:?}", command.get_program()))?;
    if !out.status.success() {
        bail!(
            "{:?} failed: {}",
            command.get_program(),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(())
}
