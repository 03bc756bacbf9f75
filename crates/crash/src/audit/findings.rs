//! What differs, counted, with the first few of each kind.

use std::{collections::BTreeMap, fmt};

/// So many of each kind are told one by one.
const TOLD: usize = 5;

/// A way in which data can differ from what was sent and acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acknowledged and not in Bronze.
    Missing,
    /// In Bronze more than once.
    Duplicate,
    /// In Bronze and never sent.
    Foreign,
    /// In Bronze although the sender was told that it was not taken.
    Refused,
    /// In Bronze with other bytes than were sent.
    Changed,
    /// In Bronze under another event or batch than its receipt says, or out of order.
    Misplaced,
    /// A batch of which only a part is there.
    Torn,
    /// A point that a mapped event should have and has not.
    PointMissing,
    /// A point that is there more than once.
    PointDuplicate,
    /// A point whose value or time is not that of its event.
    PointWrong,
    /// A point of an event that should have none, or that is not in Bronze.
    PointForeign,
    /// A row of the quarantine that should be there and is not.
    QuarantineMissing,
    /// A row of the quarantine that should not be there, or not so.
    QuarantineForeign,
    /// A bucket of a rollup that differs from the points.
    Rollup,
    /// A sum that does not come out.
    Sum,
    /// Objects that are in the bucket or in the manifest alone, or not as the manifest says.
    Object,
    /// An answer that must not be given.
    Answer,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "acknowledged, and not in Bronze",
            Self::Duplicate => "in Bronze twice",
            Self::Foreign => "in Bronze, and never sent",
            Self::Refused => "in Bronze, although its sender was refused",
            Self::Changed => "in Bronze with other bytes than were sent",
            Self::Misplaced => "in Bronze under another event than it should have",
            Self::Torn => "batches that are there in part",
            Self::PointMissing => "points missing in Silver",
            Self::PointDuplicate => "points in Silver twice",
            Self::PointWrong => "points with a wrong value or time",
            Self::PointForeign => "points in Silver that should not be there",
            Self::QuarantineMissing => "missing in quarantine",
            Self::QuarantineForeign => "in quarantine, and should not be, or not so",
            Self::Rollup => "buckets of rollups that differ from the points",
            Self::Sum => "sums that do not come out",
            Self::Object => "objects that do not fit the manifest",
            Self::Answer => "answers that must not be given",
        }
    }
}

/// Empty when all is well.
#[derive(Debug, Default)]
pub struct Findings(BTreeMap<Kind, (u64, Vec<String>)>);

impl Findings {
    pub fn add(&mut self, kind: Kind, what: impl FnOnce() -> String) {
        let (count, told) = self.0.entry(kind).or_default();
        *count += 1;
        if told.len() < TOLD {
            told.push(what());
        }
    }

    /// Takes over what another check found.
    pub fn merge(&mut self, other: Self) {
        for (kind, (count, told)) in other.0 {
            let (own, own_told) = self.0.entry(kind).or_default();
            *own += count;
            own_told.extend(told);
            own_told.truncate(TOLD);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of this kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.0.get(&kind).map_or(0, |(count, _)| *count)
    }

    /// The kinds that were found.
    pub fn kinds(&self) -> Vec<Kind> {
        self.0.keys().copied().collect()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (kind, (count, told))) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            let more = if *count > told.len() as u64 { ", ..." } else { "" };
            write!(f, "{separator}{count} {}: {}{more}", kind.words(), told.join("; "))?;
        }
        Ok(())
    }
}
