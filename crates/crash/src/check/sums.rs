//! The sums that the server tells, and the number of rows, against what was found.

use serde::Deserialize;
use tokio_postgres::Client;

use crate::{
    audit::{Difference, Findings, Seen, rejected},
    book::Book,
    event::METRICS,
};

/// What `GET /api/v1/pipelines/{pipeline}/stats` answers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Stats {
    pub received: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub mapped: u64,
    pub filtered: u64,
    pub quarantined: u64,
    pub pending: u64,
    pub silver_points: u64,
    pub bronze_rows: u64,
    pub lag: Lag,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Lag {
    pub silver_ms: u64,
    pub bronze_ms: u64,
}

impl Stats {
    /// Whether both stages say that nothing is left to do.
    pub fn is_drained(&self) -> bool {
        self.pending == 0 && self.lag.bronze_ms == 0 && self.lag.silver_ms == 0 && self.bronze_rows == self.accepted
    }
}

/// Compares the server's figures, and the number of rows in Silver and quarantine, with what is in Bronze. An audit looks at new events
/// alone: that nothing was added to old ones shows here.
///
/// # Errors
/// When the database does not answer.
pub async fn sums(
    client: &Client,
    stats: &Stats,
    book: &Book,
    seen: &Seen,
    found: &mut Findings,
) -> anyhow::Result<()> {
    let sql = "SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM quarantine)";
    let row = client.query_one(sql, &[]).await?;
    let (points, held): (i64, i64) = (row.get(0), row.get(1));
    compare(stats, points.cast_unsigned(), held.cast_unsigned(), book, seen, found);
    Ok(())
}

fn compare(stats: &Stats, points: u64, held: u64, book: &Book, seen: &Seen, found: &mut Findings) {
    let rejected = rejected(book, seen);
    for (what, is, should) in [
        ("received", stats.received, seen.events() + rejected),
        (
            "received as a sum",
            stats.received,
            stats.mapped + stats.filtered + stats.quarantined + stats.rejected,
        ),
        ("accepted", stats.accepted, seen.events()),
        ("rejected", stats.rejected, rejected),
        ("mapped", stats.mapped, seen.mapped),
        ("filtered", stats.filtered, seen.filtered),
        ("quarantined", stats.quarantined, seen.quarantined),
        ("bronze_rows", stats.bronze_rows, seen.events()),
        ("silver_points", stats.silver_points, seen.mapped * METRICS),
        ("rows of metrics", points, seen.mapped * METRICS),
        ("rows of quarantine", held, seen.quarantined),
    ] {
        if is != should {
            found.add(Difference::Sum, || format!("{what} is {is}, it should be {should}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Batch, State};

    #[test]
    fn each_sum_that_does_not_come_out_is_reported() {
        let mut book = Book::new(1, 1);
        book.sent(
            0,
            Batch {
                first: 0,
                end: 100,
                base_ms: 0,
                state: State::Acked(0),
            },
        );
        let mut seen = Seen::new();
        (0..100)
            .filter(|id| crate::event::Kind::of(*id).is_accepted())
            .for_each(|id| {
                seen.note(0, id);
            });
        let (events, rejected) = (seen.events(), rejected(&book, &seen));
        let stats = Stats {
            received: events + rejected,
            accepted: events,
            rejected,
            mapped: seen.mapped,
            filtered: seen.filtered,
            quarantined: seen.quarantined,
            silver_points: seen.mapped * METRICS,
            bronze_rows: events,
            ..Stats::default()
        };
        let differences = |stats: &Stats, points, held| {
            let mut found = Findings::default();
            compare(stats, points, held, &book, &seen, &mut found);
            found.count(Difference::Sum)
        };
        let (points, held) = (seen.mapped * METRICS, seen.quarantined);
        assert_eq!(differences(&stats, points, held), 0);
        assert_eq!(differences(&stats, points + 1, held), 1);
        assert_eq!(differences(&stats, points, held - 1), 1);
        let change: [fn(&mut Stats); 6] = [
            |s| s.received += 1,
            |s| s.accepted += 1,
            |s| s.rejected += 1,
            |s| s.mapped += 1,
            |s| s.silver_points += 1,
            |s| s.bronze_rows += 1,
        ];
        for change in change {
            let mut stats = stats;
            change(&mut stats);
            assert!(differences(&stats, points, held) > 0, "{stats:?}");
        }
    }
}
