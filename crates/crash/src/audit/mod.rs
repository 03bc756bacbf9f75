//! Compares what is there with what was sent and acknowledged. Pure: it is handed rows, wherever they come from.
//!
//! Bronze, points and quarantine come sorted by event and are walked side by side, so that memory does not grow with them. Bronze
//! is held against the book of what was sent, Silver and quarantine against Bronze and the records' own rules.

mod findings;
mod seen;

use std::pin::pin;

use anyhow::bail;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::Peekable};

pub use findings::{Findings, Kind as Difference};
pub use seen::Seen;

use crate::{
    book::{Batch, Book, State},
    event::{self, Kind, Producer},
};

/// An event in Bronze.
#[derive(Clone, Debug)]
pub struct Stored {
    pub event: i64,
    /// The first event of its batch.
    pub batch: i64,
    pub raw: Bytes,
}

/// A point in Silver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub event: i64,
    pub metric: Metric,
    /// By the tag of its series.
    pub producer: Producer,
    pub value: f64,
    /// Microseconds since 1970.
    pub at_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Id,
    Mix,
}

/// A row of the quarantine.
#[derive(Clone, Debug)]
pub struct Held {
    pub event: i64,
    pub raw: Bytes,
}

/// Audits everything behind the watermark of `seen`, which then moves up. Each stream is sorted by event.
///
/// # Errors
/// When a row cannot be had, or points or quarantine are not sorted. Differences are no errors.
pub async fn audit(
    book: &Book,
    seen: &mut Seen,
    bronze: impl Iterator<Item = anyhow::Result<Stored>>,
    points: impl Stream<Item = anyhow::Result<Point>>,
    held: impl Stream<Item = anyhow::Result<Held>>,
) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let mut points = pin!(points.peekable());
    let mut held = pin!(held.peekable());
    let mut last = seen.watermark;
    for row in bronze {
        let row = row?;
        if row.event <= last {
            found.add(Difference::Misplaced, || {
                format!("event {} comes after event {last}", row.event)
            });
            continue;
        }
        // Of events that are not in Bronze.
        let own_points = take(
            points.as_mut(),
            row.event,
            |p| p.event,
            |p| foreign_point(&mut found, p),
        )
        .await?;
        let own_held = take(held.as_mut(), row.event, |h| h.event, |h| foreign_held(&mut found, h)).await?;
        last = row.event;
        let sent = find(book, seen, &row, &mut found);
        silver(&row, sent, &own_points, &mut found);
        quarantine(&row, sent, &own_held, &mut found);
    }
    while let Some(point) = points.try_next().await? {
        foreign_point(&mut found, &point);
    }
    while let Some(row) = held.try_next().await? {
        foreign_held(&mut found, &row);
    }
    seen.watermark = last;
    whole(book, seen, &mut found);
    Ok(found)
}

fn foreign_point(found: &mut Findings, point: &Point) {
    found.add(Difference::PointForeign, || {
        format!("{point:?}, whose event is not in Bronze")
    });
}

fn foreign_held(found: &mut Findings, held: &Held) {
    found.add(Difference::QuarantineForeign, || {
        format!("event {}, which is not in Bronze", held.event)
    });
}

/// Takes the rows of `event` off a sorted stream; what comes before is handed to `earlier`.
async fn take<T, S: Stream<Item = anyhow::Result<T>>>(
    mut rows: std::pin::Pin<&mut Peekable<S>>,
    event: i64,
    of: impl Fn(&T) -> i64,
    mut earlier: impl FnMut(&T),
) -> anyhow::Result<Vec<T>> {
    let mut own = Vec::new();
    while let Some(row) = rows
        .as_mut()
        .next_if(|row| row.as_ref().map_or(true, |row| of(row) <= event))
        .await
    {
        let row = row?;
        match of(&row) {
            at if at == event => own.push(row),
            at if own.is_empty() => {
                debug_assert!(at < event);
                earlier(&row);
            }
            at => bail!("rows of Silver are not sorted: event {at} follows event {event}"),
        }
    }
    Ok(own)
}

/// What was sent as this row; nothing when it has no business here.
type Sent = Option<(Producer, u64, i64)>;

/// Holds a row of Bronze against the book.
fn find(book: &Book, seen: &mut Seen, row: &Stored, found: &mut Findings) -> Sent {
    let event = row.event;
    let foreign = || format!("event {event}: {:?}", String::from_utf8_lossy(&row.raw));
    let Some((producer, id)) = event::identify(&row.raw) else {
        found.add(Difference::Foreign, foreign);
        return None;
    };
    let Some(batch) = book.batch_of(producer, id).filter(|_| Kind::of(id).is_accepted()) else {
        found.add(Difference::Foreign, foreign);
        return None;
    };
    let told = || format!("{} id {id} at event {event}", event::name(producer));
    let mut record = String::new();
    event::write_record(&mut record, producer, id, batch.base_ms);
    if record.as_bytes() != row.raw {
        found.add(Difference::Changed, || {
            format!("{}: {:?}", told(), String::from_utf8_lossy(&row.raw))
        });
    }
    if !seen.note(producer, id) {
        found.add(Difference::Duplicate, told);
        return None;
    }
    let index = batch.index(id).cast_signed();
    match batch.state {
        State::Refused => found.add(Difference::Refused, told),
        State::Acked(first) if event != first + index => {
            found.add(Difference::Misplaced, || {
                format!("{}, its receipt says {}", told(), first + index)
            });
        }
        _ if row.batch != event - index => {
            found.add(Difference::Misplaced, || {
                format!("{} in batch {}, it should be {}", told(), row.batch, event - index)
            });
        }
        State::Acked(_) | State::Unknown => {}
    }
    Some((producer, id, batch.base_ms))
}

/// Holds the points of one event against its record.
fn silver(row: &Stored, sent: Sent, points: &[Point], found: &mut Findings) {
    let Some((producer, id, base_ms)) = sent.filter(|(_, id, _)| Kind::of(*id) == Kind::Mapped) else {
        for point in points {
            found.add(Difference::PointForeign, || {
                format!("{point:?}, whose event makes none")
            });
        }
        return;
    };
    let at_us = event::at_ms(producer, id, base_ms) * 1_000;
    let told = || format!("{} id {id} at event {}", event::name(producer), row.event);
    for (metric, value) in [
        (Metric::Id, id as f64),
        (Metric::Mix, f64::from(event::mix(producer, id))),
    ] {
        let mut own = points.iter().filter(|p| p.metric == metric);
        let Some(point) = own.next() else {
            found.add(Difference::PointMissing, || format!("{metric:?} of {}", told()));
            continue;
        };
        if (point.value, point.at_us, point.producer) != (value, at_us, producer) {
            found.add(Difference::PointWrong, || {
                format!("{point:?} instead of {value} at {at_us} of {}", told())
            });
        }
        for _ in own {
            found.add(Difference::PointDuplicate, || format!("{metric:?} of {}", told()));
        }
    }
}

/// Holds the rows of the quarantine of one event against its record.
fn quarantine(row: &Stored, sent: Sent, held: &[Held], found: &mut Findings) {
    let belongs = sent.is_some_and(|(_, id, _)| Kind::of(id) == Kind::Quarantined);
    match held {
        [] if belongs => found.add(Difference::QuarantineMissing, || format!("event {}", row.event)),
        [] => {}
        [one] if belongs && one.raw == row.raw => {}
        _ => found.add(Difference::QuarantineForeign, || {
            format!("event {}, {} rows", row.event, held.len())
        }),
    }
}

/// Every acknowledged batch is there, and no batch in part.
fn whole(book: &Book, seen: &Seen, found: &mut Findings) {
    for (producer, batches) in book.producers() {
        for batch in batches {
            let acked = matches!(batch.state, State::Acked(_));
            let mut there = 0;
            for id in batch.accepted() {
                match seen.has(producer, id) {
                    true => there += 1,
                    false if acked => {
                        found.add(Difference::Missing, || format!("{} id {id}", event::name(producer)));
                    }
                    false => {}
                }
            }
            if !acked && there > 0 && there < batch.counts().0 {
                found.add(Difference::Torn, || told(producer, batch));
            }
            if book.is_keyed(producer) && !acked {
                found.add(Difference::Missing, || {
                    format!("an answer to {}", told(producer, batch))
                });
            }
        }
    }
}

fn told(producer: Producer, batch: &Batch) -> String {
    format!("{} ids {} to {}", event::name(producer), batch.first, batch.end - 1)
}

/// Rejected records of the batches that are there: each counts in the sums, and nowhere else.
pub fn rejected(book: &Book, seen: &Seen) -> u64 {
    let of = |(producer, batches): (Producer, &[Batch])| -> u64 {
        let taken = batches
            .iter()
            .filter(|b| b.accepted().next().is_some_and(|id| seen.has(producer, id)));
        taken.map(|b| b.counts().1).sum()
    };
    book.producers().map(of).sum()
}

#[cfg(test)]
mod tests;
