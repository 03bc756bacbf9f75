use std::time::Duration;

/// How long to wait after the `attempts`th failure in a row: doubling, with jitter so that writers who failed
/// together do not come back together.
pub fn backoff(attempts: u32, first: Duration, most: Duration) -> Duration {
    let ceiling = first.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(most);
    ceiling.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(30));
        assert!(backoff(1, first, most) <= first);
        assert!(backoff(5, first, most) >= Duration::from_millis(800));
        for attempts in 1..200 {
            assert!(backoff(attempts, first, most) <= most);
        }
    }
}
