//! Fuzzing without libFuzzer: mutations of what is known, without a look at what they reach.

use std::{
    panic::catch_unwind,
    time::{Duration, Instant},
};

use crate::{
    Target,
    mutate::{Random, mutated},
};

/// An input on which a target panicked.
#[derive(Clone, Debug)]
pub struct Finding {
    pub input: Vec<u8>,
    /// Inputs that were tried, this one included.
    pub tried: u64,
}

/// Runs mutations of `known` for so long, or so many of them, whatever ends first. Answers how many were tried.
///
/// # Errors
/// The first input on which the target panicked.
pub fn run_plain(target: &Target, known: &[Vec<u8>], seed: u64, most: u64, time: Duration) -> Result<u64, Finding> {
    let mut random = Random::new(seed);
    let begun = Instant::now();
    let mut tried = 0;
    while tried < most && begun.elapsed() < time {
        let input = mutated(known, &mut random);
        tried += 1;
        if catch_unwind(|| (target.run)(&input)).is_err() {
            return Err(Finding { input, tried });
        }
    }
    Ok(tried)
}
