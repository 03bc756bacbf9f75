//! Makes checks of the books.

use app::components::format::count;
use dash_metrics::{LedgerSums, PipelineBooks, Places};
use dash_model::{
    EventSeq, Micros,
    reconcile::{About, BookFigures, Check, CheckOutcome, Difference},
};

use super::{
    Findings,
    objects::Objects,
    walk::{Bounds, Walked, walk},
};

/// Rollups are made at most an hour after points came, in passes that take their time.
const LATE: i64 = 2 * 3_600_000_000;

/// Figures, checks in the order of [`About::ALL`], and notes.
pub fn compare(books: &PipelineBooks, objects: Objects, now: Micros) -> (BookFigures, Vec<Check>, Vec<String>) {
    let walked = walk(books);
    let figures = figures(books, &walked, &objects);
    let manifest = manifest(books, &walked, &objects);
    let outcomes = [
        received(&figures).outcome(),
        totals(books).outcome(),
        quarantine(books).outcome(),
        manifest.outcome(),
        objects.findings.outcome(),
        points(books),
        rollups(books, &figures).outcome(),
    ];
    let checks = About::ALL.into_iter().zip(outcomes);
    let checks = checks.map(|(about, outcome)| Check { about, outcome }).collect();
    let late = books.pending_since.filter(|since| now.0 - since.0 > LATE);
    let notes = late.map(|since| {
        format!(
            "{} hours wait for their rollups, the oldest since {}. Answers are right all the same, read from the points, but slower; \
             a running server makes them within an hour, and logs why when it cannot.",
            count(books.pending_hours),
            app::components::format::utc(since.millis())
        )
    });
    (figures, checks, notes.into_iter().collect())
}

fn figures(books: &PipelineBooks, walked: &Walked, objects: &Objects) -> BookFigures {
    let number = |n: i64| n.unsigned_abs();
    let ledger = &books.ledger;
    let deep = books.deep.as_ref();
    BookFigures {
        received: number(ledger.events + ledger.rejected),
        events: number(ledger.events),
        mapped: number(ledger.mapped),
        filtered: number(ledger.filtered),
        quarantined: number(ledger.quarantined),
        rejected: number(ledger.rejected),
        waiting_for_lake: walked.waiting_for_lake,
        waiting_for_silver: walked.waiting_for_silver,
        lake_rows: books.objects.iter().map(|o| o.rows).sum(),
        lake_objects: books.objects.len() as u64,
        lake_bytes: books.objects.iter().map(|o| o.bytes).sum(),
        quarantine_rows: books.quarantine,
        ledger_points: number(ledger.points),
        rollup_points: books.counted_points,
        points: deep.map(|d| d.points),
        buckets: deep.map(|d| d.buckets.iter().map(|b| b.compared).sum()),
        objects_read: objects.read,
    }
}

fn received(figures: &BookFigures) -> Findings {
    let mut findings = Findings::default();
    let parts = figures.mapped + figures.filtered + figures.quarantined + figures.rejected;
    if figures.received != parts {
        findings.add(Difference {
            what: "The ledger's events and rejected records are not the sum of what became of them.".into(),
            expected: format!("{} received", count(figures.received)),
            found: format!("{} mapped, filtered, quarantined and rejected", count(parts)),
            remedy: "Somebody changed the table ledger; restore the database from a back-up.".into(),
        });
    }
    findings
}

fn totals(books: &PipelineBooks) -> Findings {
    let mut findings = Findings::default();
    for (first, earlier) in &books.overlaps {
        findings.add(Difference {
            what: "Two rows of the ledger cover the same events.".into(),
            expected: format!("a row that begins after event {earlier}"),
            found: format!("one that begins with event {first}"),
            remedy: "Their events may be counted twice. SELECT * FROM ledger ORDER BY mapping_version_id, first_event shows them; \
                     restore the database from a back-up."
                .into(),
        });
    }
    let kept = books.totals.unwrap_or_default();
    let sums = columns(&books.ledger).into_iter().zip(columns(&kept));
    for ((column, expected), (_, found)) in sums {
        if expected != found {
            findings.listed.push(Difference {
                what: format!("The kept total of {column} is not the sum over the ledger."),
                expected: signed(expected),
                found: match books.totals {
                    Some(_) => signed(found),
                    None => "no row in totals".into(),
                },
                remedy: "Pages and /stats show the kept total. Find which of totals and ledger was changed; the ledger is what counts."
                    .into(),
            });
        }
    }
    findings
}

/// Sums are never negative, unless somebody wrote to them.
fn signed(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}", count(n.unsigned_abs()))
}

/// The sums by name.
fn columns(sums: &LedgerSums) -> [(&'static str, i64); 7] {
    [
        ("batches", sums.batches),
        ("events", sums.events),
        ("rejected", sums.rejected),
        ("mapped", sums.mapped),
        ("filtered", sums.filtered),
        ("quarantined", sums.quarantined),
        ("points", sums.points),
    ]
}

fn quarantine(books: &PipelineBooks) -> Findings {
    let mut findings = Findings::default();
    let booked = books.ledger.quarantined;
    if i64::try_from(books.quarantine) != Ok(booked) {
        findings.add(Difference {
            what: format!(
                "Quarantine has another number of rows than the ledger counts{}.",
                at(&books.quarantine_places)
            ),
            expected: format!("{} rows", signed(booked)),
            found: format!("{} rows", count(books.quarantine)),
            remedy: "Records that are missing in quarantine are still in the lake, under their events.".into(),
        });
    }
    findings
}

/// ": events 1 to 9 (3 instead of 4), and 2 more places"
fn at(places: &Places) -> String {
    let listed: Vec<String> = places
        .listed
        .iter()
        .map(|p| {
            let (found, booked) = (count(p.found), count(p.booked));
            format!("{} ({found} instead of {booked})", range(p.first_event, p.last_event))
        })
        .collect();
    match (listed.is_empty(), places.more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", listed.join(", ")),
        (false, more) => format!(": {} and {} more", listed.join(", "), count(more)),
    }
}

fn range(first: EventSeq, last: EventSeq) -> String {
    if first == last {
        format!("event {first}")
    } else {
        format!("events {first} to {last}")
    }
}

fn manifest(books: &PipelineBooks, walked: &Walked, objects: &Objects) -> Findings {
    let mut findings = Findings::default();
    for segment in &walked.differences {
        let more_in_ledger = segment.ledger.least > segment.manifest.most;
        findings.add(Difference {
            what: format!(
                "Ledger and manifest have a different number of events between {} and {}.",
                segment.first, segment.last
            ),
            expected: format!("{} events, as the ledger says", bounds(segment.ledger)),
            found: format!("{} rows in the manifest", bounds(segment.manifest)),
            remedy: match more_in_ledger {
                true => "The manifest lacks an object. When it is in the lake, the check of the objects names it: restore its row of \
                         lake_objects. Otherwise these events are only in Silver."
                    .into(),
                false => "The ledger lacks a row, or one of it counts too little. The events are in the lake; restore the database \
                          from a back-up, and do not restart Dash before: it may map again what the spool still has."
                    .into(),
            },
        });
    }
    for object in &books.uncovered {
        findings.add(Difference {
            what: "The ledger does not cover the events of an object.".into(),
            expected: format!(
                "rows of the ledger from {} to {}",
                object.first_event, object.last_event
            ),
            found: "none at its first or its last event".into(),
            remedy: format!(
                "{} has the events. The ledger lost a row: restore the database from a back-up.",
                object.key
            ),
        });
    }
    for pair in books.objects.windows(2) {
        if pair[1].first_event <= pair[0].last_event {
            findings.add(Difference {
                what: "Two objects of the manifest hold the same events.".into(),
                expected: format!("an object that begins after event {}", pair[0].last_event),
                found: format!("{} begins with event {}", pair[1].key, pair[1].first_event),
                remedy: format!(
                    "Compare it with {}; one of the two rows of lake_objects is wrong.",
                    pair[0].key
                ),
            });
        }
    }
    for object in &books.objects {
        let span = object.last_event.0.abs_diff(object.first_event.0) + 1;
        if object.rows == 0 || object.rows > span {
            findings.add(Difference {
                what: format!(
                    "The manifest gives {} a number of rows that its events cannot make.",
                    object.key
                ),
                expected: format!("1 to {} rows", count(span)),
                found: format!("{} rows", count(object.rows)),
                remedy: "Somebody changed its row of lake_objects; --deep counts the rows of the object.".into(),
            });
        }
    }
    for place in &objects.rows {
        findings.add(Difference {
            what: format!(
                "The lake has another number of {} than the ledger.",
                range(place.first_event, place.last_event)
            ),
            expected: format!("{} events", count(place.booked)),
            found: format!("{} rows", count(place.found)),
            remedy: "Compare the objects of these events with a copy of the lake.".into(),
        });
    }
    if let Some(place) = &objects.uncovered {
        findings.add(Difference {
            what: format!(
                "The lake has {} that no row of the ledger covers.",
                range(place.first_event, place.last_event)
            ),
            expected: "rows of the ledger".into(),
            found: format!("{} events without", count(place.found)),
            remedy: "The ledger lost a row: restore the database from a back-up.".into(),
        });
    }
    findings
}

fn bounds(bounds: Bounds) -> String {
    if bounds.is_exact() {
        count(bounds.least)
    } else {
        format!("{} to {}", count(bounds.least), count(bounds.most))
    }
}

fn points(books: &PipelineBooks) -> CheckOutcome {
    let Some(deep) = &books.deep else {
        return CheckOutcome::DeepOnly;
    };
    let mut findings = Findings::default();
    let booked = books.ledger.points;
    if i64::try_from(deep.points) != Ok(booked) || !deep.point_places.listed.is_empty() {
        findings.add(Difference {
            what: format!(
                "metrics has other points than the ledger counts{}.",
                at(&deep.point_places)
            ),
            expected: format!("{} points", signed(booked)),
            found: format!("{} points", count(deep.points)),
            remedy:
                "Points were deleted, changed or added by other means than Dash; restore the database from a back-up."
                    .into(),
        });
    }
    findings.outcome()
}

fn rollups(books: &PipelineBooks, figures: &BookFigures) -> Findings {
    let mut findings = Findings::default();
    if figures.rollup_points != figures.ledger_points {
        findings.add(Difference {
            what: "Rollups count other points than the ledger.".into(),
            expected: format!("{} points", count(figures.ledger_points)),
            found: format!("{} points", count(figures.rollup_points)),
            remedy: "--deep names the buckets that differ, or the points.".into(),
        });
    }
    for buckets in books.deep.iter().flat_map(|d| &d.buckets) {
        for bucket in &buckets.listed {
            let text = |value: &Option<String>| match value {
                Some(value) => format!("{} = {value}", bucket.column),
                None => "no bucket".to_owned(),
            };
            findings.add(Difference {
                what: format!(
                    "{} is not what the points make: {} of series {} at {}.",
                    buckets.rollup,
                    bucket.metric,
                    bucket.series,
                    app::components::format::utc(bucket.at.millis())
                ),
                expected: text(&bucket.expected),
                found: text(&bucket.found),
                remedy:
                    "INSERT INTO rollup_invalidations (mapping_version_id, hour) for that hour makes its rollups anew."
                        .into(),
            });
        }
        findings.more += buckets.more;
    }
    findings
}
