//! What goes over the live channel: one socket a tab, many subscriptions.
//!
//! A subscription begins with a snapshot and goes on with patches. `seq` rises by one with each state that the hub
//! published for this topic within one `epoch` (one life of the topic: it ends soon after its last follower left, or with the server); after a reconnect the browser names
//! the last pair it saw and gets either the patches it missed, merged, or a fresh snapshot: no gap, no duplicate.

use serde::{Deserialize, Serialize};

use crate::{
    order,
    query::{Point, QueryResult, QuerySpec, Resolution, SeriesData},
    shared::Shared,
    stats::PipelineStats,
};

/// What can be followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    Query(QuerySpec),
    /// The figures of a pipeline, by slug or id.
    Pipeline(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClientMessage {
    Subscribe {
        /// Chosen by the browser, unique within its socket.
        sub: u32,
        topic: Topic,
        resume: Option<Place>,
    },
    Unsubscribe {
        sub: u32,
    },
    /// Sent every 20 s; a server that hears nothing for a minute closes.
    Ping,
}

/// A state that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub epoch: u64,
    pub seq: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// Sent first and then every 20 s: the server's clock, milliseconds.
    Heartbeat { now_ms: i64 },
    Snapshot {
        sub: u32,
        place: Place,
        state: Shared<State>,
    },
    /// Brings the state at `from` to the one at `place`.
    Patch {
        sub: u32,
        from: u64,
        place: Place,
        patch: Shared<Patch>,
    },
    /// This subscription cannot be served; the others go on.
    Refused { sub: u32, why: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    Query(QueryResult),
    Pipeline(PipelineStats),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Patch {
    Query(QueryPatch),
    /// Small enough to be sent whole.
    Pipeline(PipelineStats),
}

/// Points before `from_ms` are dropped; those at the same time are replaced; the others are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryPatch {
    pub resolution: Resolution,
    pub from_ms: i64,
    pub to_ms: i64,
    pub series: Vec<SeriesData>,
    /// `Total` answers: every series is replaced.
    pub replace: bool,
}

impl QueryPatch {
    /// What brings `old` to `new`, or nothing when only a snapshot can (the resolution changed, or points went away within the range).
    pub fn between(old: &QueryResult, new: &QueryResult, total: bool) -> Option<Self> {
        if old.resolution != new.resolution || old.omitted_series != new.omitted_series || new.from_ms < old.from_ms {
            return None;
        }
        let head = |series| Self {
            resolution: new.resolution,
            from_ms: new.from_ms,
            to_ms: new.to_ms,
            series,
            replace: total,
        };
        if total {
            return Some(head(new.series.clone()));
        }
        let mut changed = Vec::new();
        for s in &new.series {
            let before = old.series.iter().find(|o| o.tags == s.tags);
            let kept = before.map_or(&[][..], |o| {
                &o.points[o.points.partition_point(|p| p.0 < new.from_ms)..]
            });
            let points = difference(kept, &s.points)?;
            if before.is_none() || !points.is_empty() {
                changed.push(SeriesData {
                    tags: s.tags.clone(),
                    points,
                });
            }
        }
        let gone = |o: &SeriesData| {
            o.points.last().is_some_and(|p| p.0 >= new.from_ms) && !new.series.iter().any(|s| s.tags == o.tags)
        };
        (!old.series.iter().any(gone)).then(|| head(changed))
    }

    /// One patch that does what `self` and then `later` do.
    pub fn then(mut self, later: &Self) -> Self {
        if later.replace {
            return later.clone();
        }
        for s in &mut self.series {
            let cut = s.points.partition_point(|p| p.0 < later.from_ms);
            s.points.drain(..cut);
        }
        for more in &later.series {
            match self.series.iter_mut().find(|s| s.tags == more.tags) {
                Some(s) => merge(&mut s.points, &more.points),
                None => self.series.push(more.clone()),
            }
        }
        self.series.retain(|s| !s.points.is_empty());
        Self {
            series: self.series,
            replace: self.replace,
            ..*later
        }
    }

    /// Applies this patch to the state it was made for.
    pub fn apply(&self, state: &mut QueryResult) {
        state.resolution = self.resolution;
        state.from_ms = self.from_ms;
        state.to_ms = self.to_ms;
        if self.replace {
            state.series.clone_from(&self.series);
            return;
        }
        for s in &mut state.series {
            let keep = s.points.partition_point(|p| p.0 < self.from_ms);
            s.points.drain(..keep);
        }
        for patch in &self.series {
            match state.series.iter_mut().find(|s| s.tags == patch.tags) {
                Some(s) => merge(&mut s.points, &patch.points),
                None => state.series.push(patch.clone()),
            }
        }
        state.series.retain(|s| !s.points.is_empty());
        state.series.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    }

    /// True when nothing but the end of the range moved.
    pub fn is_idle(&self) -> bool {
        !self.replace && self.series.is_empty()
    }
}

/// The points of `new` that `old` has not, both by rising time; nothing when `old` has a time that `new` lacks.
fn difference(old: &[Point], new: &[Point]) -> Option<Vec<Point>> {
    let mut rest = old.iter().peekable();
    let mut changed = Vec::new();
    for p in new {
        match rest.peek() {
            Some(o) if o.0 < p.0 => return None,
            Some(o) if o.0 == p.0 => {
                if o.1 != p.1 {
                    changed.push(*p);
                }
                rest.next();
            }
            _ => changed.push(*p),
        }
    }
    rest.next().is_none().then_some(changed)
}

/// Both by rising time; a new point replaces the old one of its time.
fn merge(points: &mut Vec<Point>, new: &[Point]) {
    let Some(first) = new.first() else { return };
    let at = points.partition_point(|p| p.0 < first.0);
    let tail = points.split_off(at);
    let (mut a, mut b) = (tail.into_iter().peekable(), new.iter().copied().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        if x.0 < y.0 {
            points.extend(a.next());
        } else {
            if x.0 == y.0 {
                a.next();
            }
            points.extend(b.next());
        }
    }
    points.extend(a);
    points.extend(b);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{mapping::Tags, query::Rollup};

    fn result(from_ms: i64, series: Vec<(u8, Vec<(i64, i32)>)>) -> QueryResult {
        let mut all: Vec<SeriesData> = series
            .into_iter()
            .map(|(tag, mut points)| {
                points.retain(|p| p.0 >= from_ms);
                points.sort_by_key(|p| p.0);
                points.dedup_by_key(|p| p.0);
                SeriesData {
                    tags: Tags::from([("t".into(), tag.to_string())]),
                    points: points.into_iter().map(|(t, v)| Point(t, f64::from(v))).collect(),
                }
            })
            .filter(|s| !s.points.is_empty())
            .collect();
        all.sort_by(|a, b| order::groups(&a.tags, &b.tags));
        all.dedup_by(|a, b| a.tags == b.tags);
        QueryResult {
            resolution: Resolution {
                bucket_ms: 1,
                from: Rollup::Raw,
            },
            from_ms,
            to_ms: 1_000,
            series: all,
            omitted_series: 0,
            unit: None,
        }
    }

    fn any_result() -> impl Strategy<Value = QueryResult> {
        let points = proptest::collection::vec((0i64..60, any::<i32>()), 0..20);
        (0i64..30, proptest::collection::vec((0u8..4, points), 0..4)).prop_map(|(from, series)| result(from, series))
    }

    proptest! {
        #[test]
        fn patches_in_a_row_are_one_patch(a in any_result(), b in any_result(), c in any_result()) {
            if let (Some(first), Some(second)) = (QueryPatch::between(&a, &b, false), QueryPatch::between(&b, &c, false)) {
                let mut state = a.clone();
                first.then(&second).apply(&mut state);
                prop_assert_eq!(state, c);
            }
        }

        #[test]
        fn a_patch_brings_old_to_new(old in any_result(), new in any_result(), total in any::<bool>()) {
            if let Some(patch) = QueryPatch::between(&old, &new, total) {
                let mut state = old.clone();
                patch.apply(&mut state);
                prop_assert_eq!(state, new);
            }
        }

        #[test]
        fn growth_is_always_a_patch(old in any_result(), more in proptest::collection::vec((0u8..4, 60i64..90, any::<i32>()), 0..9)) {
            let mut series: Vec<(u8, Vec<(i64, i32)>)> = old.series.iter()
                .map(|s| (s.tags["t"].parse().expect("tag"), s.points.iter().map(|p| (p.0, p.1 as i32)).collect())).collect();
            for (tag, t, v) in more {
                match series.iter_mut().find(|s| s.0 == tag) {
                    Some(s) => s.1.push((t, v)),
                    None => series.push((tag, vec![(t, v)])),
                }
            }
            let new = result(old.from_ms, series);
            prop_assert!(QueryPatch::between(&old, &new, false).is_some());
        }
    }

    #[test]
    fn a_lost_point_asks_for_a_snapshot() {
        let old = result(0, vec![(1, vec![(1, 1), (2, 2)])]);
        let new = result(0, vec![(1, vec![(1, 1), (3, 3)])]);
        assert_eq!(QueryPatch::between(&old, &new, false), None);
    }
}
