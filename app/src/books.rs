//! What the checks of a reconciliation state, in words: for the page and for the command line.

use crate::{
    components::format::{bytes, count},
    model::reconcile::{About, BookFigures, Check, CheckOutcome, ReconciledPipeline, Reconciliation, Verdict},
};

/// What a check compared, with its figures. It says that they are equal only where they are.
pub fn statement(check: &Check, f: &BookFigures) -> String {
    let differs = matches!(check.outcome, CheckOutcome::Differs { .. });
    match check.about {
        About::Received => format!(
            "{} received {} {} mapped + {} filtered + {} quarantined + {} rejected",
            count(f.received),
            if differs { "≠" } else { "=" },
            count(f.mapped),
            count(f.filtered),
            count(f.quarantined),
            count(f.rejected)
        ),
        About::Totals => format!(
            "{} events and {} points in the ledger, held against the totals that pages show",
            count(f.events),
            count(f.ledger_points)
        ),
        About::Quarantine => format!(
            "{} rows wait in quarantine, {} in the ledger",
            count(f.quarantine_rows),
            count(f.quarantined)
        ),
        About::Manifest => {
            let rows = format!("{} lake rows", count(f.lake_rows));
            let lake = match f.waiting_for_lake {
                0 => String::new(),
                n => format!(" + {} on their way to the lake", count(n)),
            };
            let silver = match f.waiting_for_silver {
                0 => String::new(),
                n => format!(" + {} on their way to the ledger", count(n)),
            };
            // Their sums may be equal although stretches differ.
            let equal = if differs { "against" } else { "=" };
            format!("{rows}{lake} {equal} {} events in the ledger{silver}", count(f.events))
        }
        About::Objects => {
            let listed = format!("{} in the manifest, {}", objects(f.lake_objects), bytes(f.lake_bytes));
            match f.objects_read {
                Some(read) => format!("{listed}; {} read, row by row", count(read)),
                None => format!("{listed}, held against the lake"),
            }
        }
        About::Points => match f.points {
            Some(points) => format!(
                "{} points stored, {} in the ledger",
                count(points),
                count(f.ledger_points)
            ),
            None => format!(
                "{} in the ledger; --deep counts those that are stored",
                count(f.ledger_points)
            ),
        },
        About::Rollups => {
            let counted = format!(
                "{} points in rollups, {} in the ledger",
                count(f.rollup_points),
                count(f.ledger_points)
            );
            match f.buckets {
                Some(buckets) => format!("{counted}; {} buckets held against their points", count(buckets)),
                None => counted,
            }
        }
    }
}

fn objects(n: u64) -> String {
    match n {
        1 => "1 object".into(),
        n => format!("{} objects", count(n)),
    }
}

/// "Everything agrees", "2 differences" ...
pub fn verdict_of_pipeline(pipeline: &ReconciledPipeline) -> String {
    match pipeline.verdict() {
        Verdict::Agrees => "Everything agrees".into(),
        Verdict::Differs => differences(pipeline.differences()),
        Verdict::Unchecked => "Could not be checked".into(),
    }
}

/// What all pipelines come to.
pub fn verdict(of: &Reconciliation) -> String {
    let pipelines = match of.pipelines.len() as u64 {
        1 => "1 pipeline".to_owned(),
        n => format!("{} pipelines", count(n)),
    };
    match of.verdict {
        Verdict::Agrees => format!("Everything agrees in {pipelines}."),
        Verdict::Differs => {
            let all = of.pipelines.iter().map(ReconciledPipeline::differences).sum();
            format!("{} in {pipelines}.", differences(all))
        }
        Verdict::Unchecked => {
            format!("Nothing differs of what could be checked in {pipelines}; something could not be.")
        }
    }
}

fn differences(n: u64) -> String {
    match n {
        1 => "1 difference".into(),
        n => format!("{} differences", count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_stands_on_the_side_that_lacks_it() {
        let check = |outcome| Check {
            about: About::Manifest,
            outcome,
        };
        let agrees = check(CheckOutcome::Agrees);
        let figures = BookFigures {
            lake_rows: 1_000,
            events: 1_200,
            waiting_for_lake: 200,
            ..BookFigures::default()
        };
        assert_eq!(
            statement(&agrees, &figures),
            "1,000 lake rows + 200 on their way to the lake = 1,200 events in the ledger"
        );
        let figures = BookFigures {
            lake_rows: 1_200,
            events: 1_000,
            waiting_for_silver: 200,
            ..BookFigures::default()
        };
        assert_eq!(
            statement(&agrees, &figures),
            "1,200 lake rows = 1,000 events in the ledger + 200 on their way to the ledger"
        );
        let differs = check(CheckOutcome::Differs {
            differences: Vec::new(),
            more: 1,
        });
        assert!(statement(&differs, &figures).starts_with("1,200 lake rows against 1,000 events"));
    }
}
