//! Whether the stages behind the spool keep up: their lag, looked at while a load is applied.

use std::time::{Duration, Instant};

use dash_model::{pipeline::CreatedPipeline, stats};

use crate::subject::Dash;

const LOOK: Duration = Duration::from_millis(500);
/// What the least lag may rise by from the second quarter of the time to the last: of a minute, 1.7 % of the rate.
const RISE_MS: u64 = 500;
/// A lag that is not small is not bounded by anything that was seen.
const MOST_MS: u64 = 10_000;

/// Looks at the figures of a pipeline.
pub struct Watch<'a> {
    dash: &'a Dash,
    pipeline: &'a CreatedPipeline,
}

/// What was seen, look by look.
pub struct Lag(Vec<stats::Lag>);

impl<'a> Watch<'a> {
    pub fn start(dash: &'a Dash, pipeline: &'a CreatedPipeline) -> Self {
        Self { dash, pipeline }
    }

    /// For so long.
    pub async fn during(self, duration: Duration) -> anyhow::Result<Lag> {
        let mut seen = Vec::new();
        let until = Instant::now() + duration;
        while Instant::now() + LOOK <= until {
            tokio::time::sleep(LOOK).await;
            seen.push(self.dash.stats(self.pipeline).await?.lag);
        }
        Ok(Lag(seen))
    }
}

impl Lag {
    pub fn looks(&self) -> usize {
        self.0.len()
    }

    /// Whether the least lag of the last quarter is above that of the second one, or far above nothing. The least: a lag rises until an object or a
    /// transaction is done, and falls at once. Not the first quarter: until then not everything has begun.
    pub fn grows(&self) -> bool {
        let quarter = self.0.len() / 4;
        if quarter == 0 {
            // Too short to tell.
            return true;
        }
        let (before, last) = (&self.0[quarter..2 * quarter], &self.0[self.0.len() - quarter..]);
        let stages: [fn(&stats::Lag) -> u64; 2] = [|l| l.silver_ms, |l| l.bronze_ms];
        stages.iter().any(|of| {
            let least = |looks: &[stats::Lag]| looks.iter().map(of).min().unwrap_or(u64::MAX);
            least(last) > least(before) + RISE_MS || least(last) > MOST_MS
        })
    }

    /// The last look.
    pub fn words(&self) -> String {
        let last = self.0.last().copied().unwrap_or_default();
        format!("Silver {} ms, Bronze {} ms", last.silver_ms, last.bronze_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(silver: impl Fn(u64) -> u64, bronze: impl Fn(u64) -> u64) -> Lag {
        let look = |i| stats::Lag {
            silver_ms: silver(i),
            bronze_ms: bronze(i),
        };
        Lag((0..40).map(look).collect())
    }

    #[test]
    fn a_lag_that_rises_and_falls_does_not_grow() {
        assert!(!lag(|i| i % 4 * 300, |i| 200 + i % 3 * 700).grows());
        assert!(!lag(|_| 0, |_| 0).grows());
    }

    #[test]
    fn a_lag_that_grows_is_seen_in_either_stage() {
        // 40 ms each half of a second.
        assert!(lag(|i| i * 40, |_| 0).grows());
        assert!(lag(|_| 0, |i| i * 40 + i % 3 * 700).grows());
        assert!(lag(|_| 0, |_| 20_000).grows());
        assert!(Lag(Vec::new()).grows());
    }
}
