//! What happens now: events a second by pipeline, and the newest events. In memory only; the figures that count are the ledger's.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use dash_model::{EventSeq, Micros, PipelineId};
use parking_lot::Mutex;

/// Seconds over which a rate is taken.
const WINDOW: u64 = 10;
/// Newest events kept of each pipeline.
pub const RECENT: usize = 100;

/// Cheap to clone.
#[derive(Clone)]
pub struct Activity(Arc<Inner>);

struct Inner {
    begun: Instant,
    pipelines: Mutex<HashMap<PipelineId, Recently>>,
}

#[derive(Default)]
struct Recently {
    /// (second since the start, events accepted in it), newest last.
    seconds: VecDeque<(u64, u64)>,
    events: VecDeque<RawEvent>,
}

/// An accepted event as it came.
#[derive(Clone, Debug)]
pub struct RawEvent {
    pub event: EventSeq,
    pub received_at: Micros,
    pub raw: Bytes,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Inner {
            begun: Instant::now(),
            pipelines: Mutex::default(),
        }))
    }
}

impl Activity {
    /// Events were acknowledged.
    pub fn accepted(&self, pipeline: PipelineId, events: u32) {
        let now = self.0.begun.elapsed().as_secs();
        let mut pipelines = self.0.pipelines.lock();
        let seconds = &mut pipelines.entry(pipeline).or_default().seconds;
        match seconds.back_mut() {
            Some((second, sum)) if *second == now => *sum += u64::from(events),
            _ => seconds.push_back((now, u64::from(events))),
        }
        while seconds.front().is_some_and(|(s, _)| s + WINDOW < now) {
            seconds.pop_front();
        }
    }

    /// Accepted events a second over the last 10 whole seconds.
    pub fn rate(&self, pipeline: PipelineId) -> f64 {
        let now = self.0.begun.elapsed().as_secs();
        let pipelines = self.0.pipelines.lock();
        let Some(recently) = pipelines.get(&pipeline) else {
            return 0.0;
        };
        let sum: u64 = recently
            .seconds
            .iter()
            .filter(|(s, _)| *s + WINDOW >= now && *s < now)
            .map(|(_, n)| n)
            .sum();
        sum as f64 / now.clamp(1, WINDOW) as f64
    }

    /// Events on their way through Silver, by rising sequence.
    pub fn seen(&self, pipeline: PipelineId, events: impl ExactSizeIterator<Item = RawEvent>) {
        let skip = events.len().saturating_sub(RECENT);
        let mut pipelines = self.0.pipelines.lock();
        let recent = &mut pipelines.entry(pipeline).or_default().events;
        for event in events.skip(skip) {
            recent.push_back(event);
            if recent.len() > RECENT {
                recent.pop_front();
            }
        }
    }

    /// The newest events, newest last.
    pub fn recent(&self, pipeline: PipelineId) -> Vec<RawEvent> {
        let pipelines = self.0.pipelines.lock();
        pipelines
            .get(&pipeline)
            .map_or_else(Vec::new, |r| r.events.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_events_are_kept() {
        let activity = Activity::default();
        let pipeline = PipelineId(uuid::Uuid::nil());
        let events: Vec<RawEvent> = (0..250)
            .map(|i| RawEvent {
                event: EventSeq(i),
                received_at: Micros(i),
                raw: Bytes::new(),
            })
            .collect();
        for part in events.chunks(60) {
            activity.seen(pipeline, part.iter().cloned());
        }
        let kept: Vec<i64> = activity.recent(pipeline).iter().map(|e| e.event.0).collect();
        assert_eq!(kept, (150..250).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_accepted_is_a_rate_of_nothing() {
        assert_eq!(Activity::default().rate(PipelineId(uuid::Uuid::nil())), 0.0);
    }
}
