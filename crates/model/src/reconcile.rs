//! Whether the books of a pipeline agree: what came in, what the ledger says, what lies in the lake and in the metrics.

use serde::{Deserialize, Serialize};

use crate::Micros;

/// The books of some pipelines, held against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// When it began.
    pub checked_at: Micros,
    /// How long it took, and how much of that the database.
    pub took_ms: u64,
    pub database_ms: u64,
    /// Whether every point, bucket and object was read.
    pub deep: bool,
    pub verdict: Verdict,
    pub pipelines: Vec<ReconciledPipeline>,
}

/// What all checks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Agrees,
    /// Something differs, whether or not something else could not be checked.
    Differs,
    /// Nothing differs of what could be checked, and something could not.
    Unchecked,
}

/// One pipeline and its active mapping version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconciledPipeline {
    pub slug: String,
    pub name: String,
    pub figures: BookFigures,
    pub checks: Vec<Check>,
    /// What is no difference and worth knowing.
    pub notes: Vec<String>,
}

/// The figures that checks are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookFigures {
    /// Events of the ledger and rejected records.
    pub received: u64,
    /// Events of the ledger: mapped + filtered + quarantined.
    pub events: u64,
    pub mapped: u64,
    pub filtered: u64,
    pub quarantined: u64,
    pub rejected: u64,
    /// Events of the ledger that are on their way to the lake.
    pub waiting_for_lake: u64,
    /// Events of the lake that are on their way to Silver.
    pub waiting_for_silver: u64,
    pub lake_rows: u64,
    pub lake_objects: u64,
    pub lake_bytes: u64,
    /// Rows in quarantine.
    pub quarantine_rows: u64,
    /// Points that the ledger counts.
    pub ledger_points: u64,
    /// Points as dashboards count them, from rollups and from hours that have none yet.
    pub rollup_points: u64,
    /// Points in `metrics`; known to a deep check.
    pub points: Option<u64>,
    /// Buckets that were compared; known to a deep check.
    pub buckets: Option<u64>,
    /// Objects that were read; known to a deep check.
    pub objects_read: Option<u64>,
}

/// One statement about the books.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub about: About,
    pub outcome: CheckOutcome,
}

/// What a check is about, in the order of an event's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// received = mapped + filtered + quarantined + rejected
    Received,
    /// The kept totals are the sums over the ledger, whose ranges do not overlap.
    Totals,
    /// As many rows wait in quarantine as the ledger counts.
    Quarantine,
    /// Manifest and ledger have the same events.
    Manifest,
    /// The objects of the manifest, and no others, lie in the lake as they were written.
    Objects,
    /// As many points as the ledger counts.
    Points,
    /// Rollups are what the points make.
    Rollups,
}

impl About {
    pub const ALL: [Self; 7] = [
        Self::Received,
        Self::Totals,
        Self::Quarantine,
        Self::Manifest,
        Self::Objects,
        Self::Points,
        Self::Rollups,
    ];

    /// One word for lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Totals => "Totals",
            Self::Quarantine => "Quarantine",
            Self::Manifest => "Lake and ledger",
            Self::Objects => "Objects",
            Self::Points => "Points",
            Self::Rollups => "Rollups",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    Agrees,
    Differs {
        /// At most some of each kind.
        differences: Vec<Difference>,
        /// Differences that are not listed.
        more: u64,
    },
    Unchecked {
        reason: String,
    },
    /// Only a deep check looks.
    DeepOnly,
}

/// Something that differs, in words for the person who has to look after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub what: String,
    pub expected: String,
    pub found: String,
    /// Where to look, and what to do.
    pub remedy: String,
}

impl Reconciliation {
    /// What these pipelines say together.
    pub fn verdict_of(pipelines: &[ReconciledPipeline]) -> Verdict {
        let all = || pipelines.iter().map(ReconciledPipeline::verdict);
        match () {
            () if all().any(|v| v == Verdict::Differs) => Verdict::Differs,
            () if all().any(|v| v == Verdict::Unchecked) => Verdict::Unchecked,
            () => Verdict::Agrees,
        }
    }
}

impl ReconciledPipeline {
    pub fn verdict(&self) -> Verdict {
        let any = |of: fn(&CheckOutcome) -> bool| self.checks.iter().any(|c| of(&c.outcome));
        match () {
            () if any(|o| matches!(o, CheckOutcome::Differs { .. })) => Verdict::Differs,
            () if any(|o| matches!(o, CheckOutcome::Unchecked { .. })) => Verdict::Unchecked,
            () => Verdict::Agrees,
        }
    }

    /// Differences, listed or not.
    pub fn differences(&self) -> u64 {
        let of = |check: &Check| match &check.outcome {
            CheckOutcome::Differs { differences, more } => differences.len() as u64 + more,
            _ => 0,
        };
        self.checks.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(outcomes: Vec<CheckOutcome>) -> ReconciledPipeline {
        ReconciledPipeline {
            slug: "p".into(),
            name: "P".into(),
            figures: BookFigures::default(),
            checks: outcomes
                .into_iter()
                .zip(About::ALL)
                .map(|(outcome, about)| Check { about, outcome })
                .collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_difference_weighs_more_than_what_could_not_be_checked() {
        let differs = CheckOutcome::Differs {
            differences: Vec::new(),
            more: 2,
        };
        let unchecked = CheckOutcome::Unchecked { reason: "away".into() };
        let fine = with(vec![CheckOutcome::Agrees, CheckOutcome::DeepOnly]);
        let open = with(vec![CheckOutcome::Agrees, unchecked.clone()]);
        let bad = with(vec![unchecked, differs]);
        assert_eq!(fine.verdict(), Verdict::Agrees);
        assert_eq!(
            Reconciliation::verdict_of(&[fine.clone(), open.clone()]),
            Verdict::Unchecked
        );
        assert_eq!(bad.differences(), 2);
        assert_eq!(Reconciliation::verdict_of(&[fine, open, bad]), Verdict::Differs);
        assert_eq!(Reconciliation::verdict_of(&[]), Verdict::Agrees);
    }

    #[test]
    fn an_outcome_reads_the_same_after_json() {
        let check = Check {
            about: About::Manifest,
            outcome: CheckOutcome::Unchecked { reason: "away".into() },
        };
        let json = serde_json::to_string(&check).expect("JSON");
        assert_eq!(
            json,
            r#"{"about":"manifest","outcome":{"outcome":"unchecked","reason":"away"}}"#
        );
        assert_eq!(serde_json::from_str::<Check>(&json).expect("a check"), check);
    }
}
