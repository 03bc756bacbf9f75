//! One topic: its newest state, and how to get there from the last few.

use std::collections::VecDeque;

use dash_model::{
    live::{Patch, Place, QueryPatch, State},
    shared::Shared,
};
use parking_lot::Mutex;
use tokio::sync::watch;

/// States that a viewer may lag behind and still get a patch.
const HISTORY: usize = 64;

/// What brings a viewer to the newest state.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    Snapshot {
        place: Place,
        state: Shared<State>,
    },
    Patch {
        from: u64,
        place: Place,
        patch: Shared<Patch>,
    },
}

/// Published states of one topic. Sequences begin at 1 and rise by one.
pub struct History {
    epoch: u64,
    inner: Mutex<Inner>,
    /// The newest sequence; 0 while nothing is published.
    seq: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    seq: u64,
    state: Option<Shared<State>>,
    /// `patches[i]` leads from `seq - len + i` to the next.
    patches: VecDeque<Shared<Patch>>,
    refused: Option<String>,
}

impl History {
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            inner: Mutex::default(),
            seq: watch::Sender::new(0),
        }
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }

    /// Makes `state` the newest, unless it is the same as before. `total` says that the topic has one point a series.
    pub fn publish(&self, state: State, total: bool) {
        let mut inner = self.inner.lock();
        inner.refused = None;
        let patch = match (inner.state.as_deref(), &state) {
            // Whoever was refused meanwhile asks again, and is confirmed.
            (Some(old), new) if old == new => return,
            (Some(State::Query(old)), State::Query(new)) => QueryPatch::between(old, new, total).map(Patch::Query),
            (Some(State::Pipeline(_)), State::Pipeline(new)) => Some(Patch::Pipeline(new.clone())),
            _ => None,
        };
        match patch {
            Some(patch) => {
                inner.patches.push_back(patch.into());
                if inner.patches.len() > HISTORY {
                    inner.patches.pop_front();
                }
            }
            // Only a snapshot leads here.
            None => inner.patches.clear(),
        }
        inner.state = Some(state.into());
        inner.seq += 1;
        self.seq.send_replace(inner.seq);
    }

    /// Tells viewers why there is no state; the last good one stays.
    pub fn refuse(&self, why: String) {
        let mut inner = self.inner.lock();
        if inner.refused.as_ref() != Some(&why) {
            inner.refused = Some(why);
            self.seq.send_modify(|_| ());
        }
    }

    pub fn refused(&self) -> Option<String> {
        self.inner.lock().refused.clone()
    }

    /// For a viewer who came back and missed nothing: an empty step from its state to the same one, which says that it is live.
    pub fn confirm(&self, seen: Place) -> Option<Update> {
        let inner = self.inner.lock();
        let place = Place {
            epoch: self.epoch,
            seq: inner.seq,
        };
        let state = inner.state.as_ref().filter(|_| seen == place)?;
        let patch = match &**state {
            State::Query(now) => Patch::Query(QueryPatch {
                resolution: now.resolution,
                from_ms: now.from_ms,
                to_ms: now.to_ms,
                series: Vec::new(),
                replace: false,
            }),
            State::Pipeline(now) => Patch::Pipeline(now.clone()),
        };
        Some(Update::Patch {
            from: seen.seq,
            place,
            patch: patch.into(),
        })
    }

    /// What a viewer lacks who saw `seen`; nothing when that is the newest or nothing is published yet.
    pub fn since(&self, seen: Option<Place>) -> Option<Update> {
        let inner = self.inner.lock();
        let place = Place {
            epoch: self.epoch,
            seq: inner.seq,
        };
        let state = inner.state.as_ref()?;
        let missed = seen
            .filter(|s| s.epoch == self.epoch && s.seq <= inner.seq)
            .map(|s| (s.seq, (inner.seq - s.seq) as usize));
        match missed {
            Some((_, 0)) => None,
            Some((from, missed)) if missed <= inner.patches.len() => {
                let patch = combine(inner.patches.iter().skip(inner.patches.len() - missed));
                patch.map(|patch| Update::Patch { from, place, patch })
            }
            _ => Some(Update::Snapshot {
                place,
                state: state.clone(),
            }),
        }
    }
}

/// One patch that does what these do. Of a single one, which is what nearly every viewer lacks, nothing is copied.
fn combine<'p>(mut patches: impl Iterator<Item = &'p Shared<Patch>>) -> Option<Shared<Patch>> {
    let first = patches.next()?.clone();
    Some(patches.fold(first, |sum, next| match (sum.into_value(), &**next) {
        (Patch::Query(a), Patch::Query(b)) => Patch::Query(a.then(b)).into(),
        _ => next.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use dash_model::{
        mapping::Tags,
        query::{Point, QueryResult, Resolution, Rollup, SeriesData},
    };
    use proptest::prelude::*;

    use super::*;

    fn state(points: &[(i64, i32)]) -> QueryResult {
        QueryResult {
            resolution: Resolution {
                bucket_ms: 0,
                from: Rollup::Raw,
            },
            from_ms: 0,
            to_ms: 1_000,
            series: vec![SeriesData {
                tags: Tags::new(),
                points: points.iter().map(|&(t, v)| Point(t, f64::from(v))).collect(),
            }],
            omitted_series: 0,
            unit: None,
        }
    }

    /// What a browser does with an update.
    fn apply(seen: &mut Option<(Place, QueryResult)>, update: Update) {
        match update {
            Update::Snapshot { place, state } => {
                let State::Query(state) = state.into_value() else {
                    panic!("a state of another topic")
                };
                *seen = Some((place, state));
            }
            Update::Patch { from, place, patch } => {
                let Patch::Query(patch) = &*patch else {
                    panic!("a patch of another topic")
                };
                let (at, state) = seen.as_mut().expect("a patch follows a state");
                assert_eq!(at.seq, from, "a patch fits the state it is for");
                patch.apply(state);
                *at = place;
            }
        }
    }

    proptest! {
        /// However rarely a viewer looks, it ends in the newest state, without a gap and without a duplicate.
        #[test]
        fn a_viewer_who_looks_now_and_then_sees_the_newest_state(
            steps in proptest::collection::vec((proptest::collection::btree_map(0i64..40, any::<i32>(), 0..20), any::<bool>(), any::<bool>()), 1..200)
        ) {
            let history = History::new(7);
            let mut seen = None;
            for (points, looks, forgets) in steps {
                let points: Vec<_> = points.into_iter().collect();
                history.publish(State::Query(state(&points)), false);
                if forgets {
                    seen = None;
                }
                if looks {
                    if let Some(update) = history.since(seen.as_ref().map(|s: &(Place, QueryResult)| s.0)) {
                        apply(&mut seen, update);
                    }
                    let (_, shown) = seen.as_ref().expect("something was published");
                    let lasting = |r: &QueryResult| r.series.iter().filter(|s| !s.points.is_empty()).cloned().collect::<Vec<_>>();
                    prop_assert_eq!(lasting(shown), lasting(&state(&points)));
                }
            }
        }
    }

    #[test]
    fn another_life_of_the_server_gives_a_snapshot() {
        let history = History::new(2);
        history.publish(State::Query(state(&[(1, 1)])), false);
        assert!(matches!(
            history.since(Some(Place { epoch: 1, seq: 1 })),
            Some(Update::Snapshot { .. })
        ));
        assert_eq!(history.since(Some(Place { epoch: 2, seq: 1 })), None);
    }

    #[test]
    fn who_missed_nothing_is_confirmed() {
        let history = History::new(3);
        history.publish(State::Query(state(&[(1, 1)])), false);
        let mut seen = None;
        apply(&mut seen, history.since(None).expect("a snapshot"));
        let (place, before) = seen.clone().expect("seen");
        apply(&mut seen, history.confirm(place).expect("a confirmation"));
        assert_eq!(seen, Some((place, before)));
        assert_eq!(history.confirm(Place { epoch: 2, seq: 1 }), None);
    }

    #[test]
    fn the_same_state_is_not_published_again() {
        let history = History::new(1);
        history.publish(State::Query(state(&[(1, 1)])), false);
        history.publish(State::Query(state(&[(1, 1)])), false);
        assert_eq!(*history.changes().borrow(), 1);
    }

    #[test]
    fn who_was_away_too_long_gets_a_snapshot() {
        let history = History::new(1);
        for i in 0..=(HISTORY as i64 + 1) {
            history.publish(State::Query(state(&(0..=i).map(|t| (t, 1)).collect::<Vec<_>>())), false);
        }
        assert!(matches!(
            history.since(Some(Place { epoch: 1, seq: 1 })),
            Some(Update::Snapshot { .. })
        ));
        assert!(matches!(
            history.since(Some(Place { epoch: 1, seq: 60 })),
            Some(Update::Patch { from: 60, .. })
        ));
    }
}
