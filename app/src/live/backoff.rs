//! How long to wait before the next attempt to connect.

/// The first wait, before jitter, in milliseconds.
const BASE_MS: u64 = 500;
/// The longest wait, before jitter.
const MAX_MS: u64 = 30_000;

/// Exponential waits with jitter: a server that restarts is not greeted by all its viewers in the same instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempt: u32,
    random: u64,
}

impl Backoff {
    /// `seed` makes two tabs wait differently.
    pub fn new(seed: u64) -> Self {
        Self {
            attempt: 0,
            // Xorshift never leaves zero.
            random: seed | 1,
        }
    }

    /// Waits that were handed out since the last [`Self::reset`].
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Milliseconds to wait now: between half of the exponential step and all of it.
    pub fn next_ms(&mut self) -> i64 {
        let step = BASE_MS.saturating_mul(1 << self.attempt.min(10)).min(MAX_MS);
        self.attempt = self.attempt.saturating_add(1);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (step / 2 + self.random % (step / 2 + 1)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<i64> = (0..40).map(|_| backoff.next_ms()).collect();
        assert!((250..=500).contains(&waits[0]), "{waits:?}");
        assert!(waits[10..].iter().all(|w| (15_000..=30_000).contains(w)), "{waits:?}");
        backoff.reset();
        assert!(backoff.next_ms() <= 500);
    }

    #[test]
    fn two_tabs_wait_differently() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..5).map(|_| backoff.next_ms()).collect::<Vec<_>>()
        };
        assert_ne!(waits(11), waits(12_345));
    }
}
