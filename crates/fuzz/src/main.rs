//! `dash-fuzz TARGET FILE...`: runs a target on files, to see what a finding does.
//! `dash-fuzz plain TARGET SECONDS KNOWN... `: the plain loop, from the inputs in these directories. A finding is written to
//! the directory FINDINGS of the environment, or the present one.
//! `dash-fuzz seeds CORPUS`: writes the inputs that no hand writes into this directory.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use dash_fuzz::{TARGETS, Target, run_plain, seeds};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["plain", target, seconds, known @ ..] => {
            let seconds = seconds.parse().context("SECONDS is a number")?;
            plain(find(target)?, Duration::from_secs(seconds), known)
        }
        ["seeds", corpus] => {
            for (target, name, bytes) in seeds() {
                let dir = Path::new(corpus).join(target);
                fs::create_dir_all(&dir)?;
                fs::write(dir.join(name), bytes)?;
            }
            Ok(())
        }
        [target, files @ ..] => {
            let target = find(target)?;
            for file in files {
                (target.run)(&fs::read(file).with_context(|| (*file).to_owned())?);
            }
            say(&format!("{}: {} inputs passed", target.name, files.len()));
            Ok(())
        }
        [] => bail!("say a target: {}", names()),
    }
}

fn find(name: &str) -> anyhow::Result<&'static Target> {
    dash_fuzz::find(name).with_context(|| format!("there is no target {name:?}; there are {}", names()))
}

fn names() -> String {
    TARGETS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
}

fn plain(target: &Target, time: Duration, known: &[&str]) -> anyhow::Result<()> {
    let mut inputs = Vec::new();
    for dir in known.iter().map(Path::new).filter(|dir| dir.is_dir()) {
        for entry in fs::read_dir(dir)? {
            inputs.push(fs::read(entry?.path())?);
        }
    }
    dash_fuzz::catchable_panics();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    match run_plain(target, &inputs, seed, u64::MAX, time) {
        Ok(tried) => {
            say(&format!("{}: {tried} inputs, no finding (seed {seed})", target.name));
            Ok(())
        }
        Err(finding) => {
            let dir = env::var_os("FINDINGS").map_or_else(PathBuf::new, PathBuf::from);
            let file = dir.join(format!("{}-{seed}-{}", target.name, finding.tried));
            fs::write(&file, &finding.input).with_context(|| file.display().to_string())?;
            bail!("{}: a finding, see {}", target.name, file.display())
        }
    }
}

fn say(line: &str) {
    // Nothing to do about a closed output.
    let _ = writeln!(std::io::stdout(), "{line}");
}
