//! Holds the books of pipelines against each other: `server reconcile` and its page.
//!
//! What is said is exact at any moment, beside a running server and without one. The order sees to it:
//!
//! 1. What the spool no longer holds ([`floor`]), and what lies in the lake, is read first. What a spool let go of is in ledger
//!    and manifest by then; an object is intended before it is put.
//! 2. Then ledger, totals, quarantine, manifest, rollups and points are read in one snapshot ([`dash_metrics::Silver::books`]).
//!    Of a pipeline's events both stages take the older first, so what either has done reaches up to an event; where both
//!    must be complete, [`walk`] compares them, and what lies behind is waiting.
//! 3. [`compare`] makes checks of it, [`objects`] asks for what the listing lacked and reads the objects of a deep check.

mod compare;
pub mod floor;
mod objects;
mod walk;

use std::time::Instant;

use dash_lake::Store;
use dash_metrics::{BooksOptions, DatabaseError, Silver};
use dash_model::{
    PipelineId,
    pipeline::Pipeline,
    reconcile::{CheckOutcome, Difference, ReconciledPipeline, Reconciliation},
};

use self::objects::Listing;

/// Differences of one kind that are listed; the others are counted.
const LISTED: usize = 5;

/// Reconciles these pipelines, in their order.
///
/// # Errors
/// When the database cannot be read; a lake that cannot be is the outcome of its check.
pub async fn reconcile(
    silver: &Silver,
    lake: &Store,
    pipelines: &[Pipeline],
    options: &BooksOptions,
) -> Result<Reconciliation, DatabaseError> {
    let (checked_at, began) = (crate::clock::now(), Instant::now());
    let mut listings = Vec::with_capacity(pipelines.len());
    for pipeline in pipelines {
        listings.push(Listing::read(lake, pipeline).await);
    }
    let ids: Vec<PipelineId> = pipelines.iter().map(|p| p.id).collect();
    let books = silver.books(&ids, options).await?;
    let mut reconciled = Vec::with_capacity(pipelines.len());
    for (pipeline, listing) in pipelines.iter().zip(listings) {
        let Some(books) = books.pipelines.iter().find(|b| b.pipeline == Some(pipeline.id)) else {
            continue;
        };
        let objects = objects::check(lake, listing, books).await;
        let (figures, checks, notes) = compare::compare(books, objects, checked_at);
        reconciled.push(ReconciledPipeline {
            slug: pipeline.slug.clone(),
            name: pipeline.name.clone(),
            figures,
            checks,
            notes,
        });
    }
    Ok(Reconciliation {
        checked_at,
        took_ms: millis(began.elapsed()),
        database_ms: millis(books.took),
        deep: options.deep,
        verdict: Reconciliation::verdict_of(&reconciled),
        pipelines: reconciled,
    })
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Differences of one check.
#[derive(Debug, Default)]
struct Findings {
    listed: Vec<Difference>,
    more: u64,
    /// Why something could not be looked at.
    unchecked: Option<String>,
}

impl Findings {
    fn add(&mut self, difference: Difference) {
        if self.listed.len() < LISTED {
            self.listed.push(difference);
        } else {
            self.more += 1;
        }
    }

    fn unchecked(&mut self, reason: impl Into<String>) {
        self.unchecked.get_or_insert_with(|| reason.into());
    }

    /// A difference weighs more than what could not be looked at.
    fn outcome(self) -> CheckOutcome {
        match (self.listed.is_empty(), self.unchecked) {
            (false, _) => CheckOutcome::Differs {
                differences: self.listed,
                more: self.more,
            },
            (true, Some(reason)) => CheckOutcome::Unchecked { reason },
            (true, None) => CheckOutcome::Agrees,
        }
    }
}
