//! Targets for fuzzing: whatever bytes come, what reads them neither panics nor breaks its word.
//!
//! A target is a plain function of bytes. It makes an input of them, hands it to the code under test and panics when the
//! outcome is wrong. Three drive it: `tests/corpus.rs` with every committed input, in `make test`; libFuzzer by the wrappers
//! in `fuzz/`, in `make fuzz`; and [`run_plain`], a loop over mutations of the committed inputs, where there is no nightly
//! toolchain.
//!
//! `corpus/<target>/` holds small inputs to begin with, `regressions/<target>/` what was once found. The first bytes of an
//! input say what it means; they are written as digits, so that an input can be made by hand.
//!
//! *Invariant*: a target is deterministic and has no state.

#[cfg(feature = "expression")]
mod expression;
mod ingest;
mod input;
mod lake;
mod live;
mod mutate;
mod plain;
mod seeds;
mod spool;

use std::io::Write;

use dash_model as model;

pub use plain::{Finding, run_plain};
pub use seeds::seeds;

/// A function to be fuzzed, and the name of its inputs' directories.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "ingest",
        run: ingest::target,
    },
    Target {
        name: "spool",
        run: spool::target,
    },
    Target {
        name: "lake",
        run: lake::target,
    },
    Target {
        name: "live",
        run: live::target,
    },
    #[cfg(feature = "expression")]
    Target {
        name: "expression",
        run: expression::target,
    },
];

/// Replaces the process's panic hook, which libFuzzer's wrapper lets abort. Readers of Arrow and Parquet panic on bad bytes;
/// that is caught where they are called, and says nothing. What is not caught ends the run as ever.
pub fn catchable_panics() {
    std::panic::set_hook(Box::new(|info| {
        let in_library = info.location().is_some_and(|at| at.file().contains("/registry/"));
        if !in_library {
            let thread = std::thread::current();
            let text = format!("thread {:?}: {info}", thread.name().unwrap_or_default());
            // Nothing to do about a closed output.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }));
}

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|t| t.name == name)
}
