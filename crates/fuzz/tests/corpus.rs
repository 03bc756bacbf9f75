//! Every committed input through its target, and a few hundred mutations of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use dash_fuzz::{TARGETS, find, run_plain};

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let mut files: Vec<_> = match fs::read_dir(&dir) {
        Ok(entries) => entries.map(|e| e.expect("an entry").path()).collect(),
        Err(_) => Vec::new(),
    };
    files.sort();
    files
}

/// All inputs of a target through it; then mutations, always the same ones.
fn check(name: &str) {
    let target = find(name).expect("a target");
    let files = [inputs("corpus", name), inputs("regressions", name)].concat();
    assert!(inputs("corpus", name).len() >= 3, "no corpus");
    let known: Vec<_> = files.iter().map(|file| fs::read(file).expect("an input")).collect();
    for (file, input) in files.iter().zip(&known) {
        if std::panic::catch_unwind(|| (target.run)(input)).is_err() {
            panic!("{}", file.display());
        }
    }
    if let Err(finding) = run_plain(target, &known, 1, 500, Duration::from_secs(20)) {
        panic!("{:?}", String::from_utf8_lossy(&finding.input));
    }
}

#[test]
fn ingest_takes_every_known_body() {
    check("ingest");
}

#[test]
fn the_spool_reads_every_known_segment() {
    check("spool");
}

#[test]
fn the_lake_reads_every_known_object() {
    check("lake");
}

#[test]
fn the_socket_takes_every_known_message() {
    check("live");
}

#[cfg(feature = "expression")]
#[test]
fn every_known_expression_is_compiled_and_run() {
    check("expression");
}

#[test]
fn every_target_has_a_wrapper_and_every_directory_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    for kind in ["corpus", "regressions"] {
        for entry in fs::read_dir(root.join(kind)).into_iter().flatten() {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            assert!(names.contains(&name), "{kind}/{name} belongs to no target");
        }
    }
    for name in names {
        assert!(
            root.join(format!("../../fuzz/{name}.rs")).is_file(),
            "fuzz/{name}.rs is missing"
        );
    }
}
