//! The two consumers of a spool, and how far behind they are.

use dash_model::{EventSeq, Micros};

/// A consumer; a batch is kept until both are done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Metrics in the database.
    Silver,
    /// Raw events in the lake.
    Bronze,
}

impl Stage {
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Silver => 0,
            Self::Bronze => 1,
        }
    }
}

/// What a stage has still to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub batches: u64,
    pub events: u64,
    /// When the first batch of it, in the order of acceptance, was received.
    pub oldest: Option<Micros>,
}

/// What both stages have still to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub silver: Backlog,
    pub bronze: Backlog,
}

impl Pending {
    pub fn of(&self, stage: Stage) -> Backlog {
        match stage {
            Stage::Silver => self.silver,
            Stage::Bronze => self.bronze,
        }
    }
}

/// The state of a spool at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Segment files, the active one included.
    pub segments: usize,
    /// Bytes of all segment files.
    pub bytes: u64,
    /// Bytes of batches that wait for their commit.
    pub queued_bytes: usize,
    pub pending: Pending,
    /// The sequence that the next batch gets.
    pub next: EventSeq,
    /// The last commit found the disk full, and it is not known to have space again.
    pub disk_full: bool,
    /// Why the spool takes nothing any more.
    pub stopped: Option<String>,
    /// What lies beside the segments, and does not count as theirs.
    pub torn: Torn,
}

/// Files with the bytes that crashes left behind the last whole frame, as found when the spool was opened. Nothing reads
/// them and nothing removes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torn {
    pub files: usize,
    pub bytes: u64,
}
