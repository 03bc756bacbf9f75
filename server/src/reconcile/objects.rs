//! Whether the objects of the manifest lie in the lake as they were written.

use std::collections::{HashMap, HashSet};

use dash_lake::{ALL_EVENTS, LakeError, Store};
use dash_metrics::{BookedObject, LedgerRange, PipelineBooks, Place};
use dash_model::{EventSeq, pipeline::Pipeline, reconcile::Difference};
use futures::{StreamExt, TryStreamExt, stream};

use super::Findings;
use app::components::format::count;

/// Objects that are asked for, and that are read, at one time.
const AT_ONCE: usize = 8;
const READ_AT_ONCE: usize = 2;

/// What lay in the lake before the manifest was read, with sizes.
pub struct Listing(Result<HashMap<String, u64>, LakeError>);

impl Listing {
    pub async fn read(lake: &Store, pipeline: &Pipeline) -> Self {
        let sizes = lake.sizes(pipeline.organization, pipeline.id).await;
        Self(sizes.map(|sizes| sizes.into_iter().collect()))
    }
}

/// What was found, and how many objects were read.
#[derive(Default)]
pub struct Objects {
    pub(super) findings: Findings,
    pub(super) read: Option<u64>,
    /// Rows of the ledger of whose events the lake has another number; those that it must have.
    pub(super) rows: Vec<Place>,
    /// Events of the lake that no row of the ledger covers although one must: the first, the last, how many.
    pub(super) uncovered: Option<Place>,
}

/// Compares sizes, and reads every object when the books are deep.
pub async fn check(lake: &Store, listing: Listing, books: &PipelineBooks) -> Objects {
    let mut objects = Objects::default();
    let listing = match listing.0 {
        Ok(listing) => listing,
        Err(error) => {
            objects.findings.unchecked(error.to_string());
            return objects;
        }
    };
    sizes(lake, &listing, books, &mut objects.findings).await;
    let known: HashSet<&str> = books
        .objects
        .iter()
        .map(|o| o.key.as_str())
        .chain(books.intended.iter().map(String::as_str))
        .collect();
    let mut foreign: Vec<_> = listing
        .iter()
        .filter(|(key, _)| !known.contains(key.as_str()))
        .collect();
    foreign.sort();
    for (key, bytes) in foreign {
        objects.findings.add(Difference {
            what: "The lake has an object that the manifest does not list.".into(),
            expected: "a row of lake_objects with its key".into(),
            found: format!("{key}, {} bytes", count(*bytes)),
            remedy: "Nothing counts or shows its events. Dash did not write it, or a database older than the lake was restored. Move it out of the lake, or restore its row.".into(),
        });
    }
    if let Some(deep) = &books.deep {
        read_all(lake, books, &deep.ranges, &mut objects).await;
    }
    objects
}

async fn sizes(lake: &Store, listing: &HashMap<String, u64>, books: &PipelineBooks, findings: &mut Findings) {
    // Those that were put after the listing are asked for one by one.
    let unlisted = books.objects.iter().filter(|o| !listing.contains_key(&o.key));
    let unlisted: Vec<String> = unlisted.map(|o| o.key.clone()).collect();
    let asked = stream::iter(unlisted).map(|key| {
        let lake = lake.clone();
        async move {
            let size = lake.size(&key).await;
            (key, size)
        }
    });
    let mut asked: HashMap<String, Result<u64, LakeError>> = asked.buffer_unordered(AT_ONCE).collect().await;
    for object in &books.objects {
        let size = match listing.get(&object.key) {
            Some(&size) => Ok(size),
            None => match asked.remove(&object.key) {
                Some(size) => size,
                // Keys are unique in the manifest, and each was asked for.
                None => continue,
            },
        };
        match size {
            Ok(size) if size == object.bytes => {}
            Ok(size) => findings.add(Difference {
                what: format!(
                    "An object has another size than it was written with: {}",
                    events(object)
                ),
                expected: format!("{} bytes", count(object.bytes)),
                found: format!("{} bytes", count(size)),
                remedy: restore(object),
            }),
            Err(LakeError::Missing { .. }) => findings.add(Difference {
                what: format!("An object is missing: {}", events(object)),
                expected: format!("{} bytes", count(object.bytes)),
                found: "no object".into(),
                remedy: restore(object),
            }),
            Err(error) => findings.unchecked(error.to_string()),
        }
    }
}

fn events(object: &BookedObject) -> String {
    format!(
        "{} events from {} to {}.",
        count(object.rows),
        object.first_event,
        object.last_event
    )
}

fn restore(object: &BookedObject) -> String {
    format!("Put {} back from a copy of the lake.", object.key)
}

/// What one object holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    rows: u64,
    raw_bytes: u64,
    ends: Option<(EventSeq, EventSeq)>,
    /// An event that does not come after the one before it.
    disorder: Option<EventSeq>,
    events: Vec<EventSeq>,
}

async fn read_all(lake: &Store, books: &PipelineBooks, ranges: &[LedgerRange], objects: &mut Objects) {
    let mut tally = Tally::new(ranges);
    let mut contents = stream::iter(books.objects.clone())
        .map(|object| {
            let lake = lake.clone();
            async move {
                let contents = read(&lake, &object).await;
                (object, contents)
            }
        })
        .buffered(READ_AT_ONCE);
    let mut count_read = 0;
    let mut complete = true;
    while let Some((object, contents)) = contents.next().await {
        match contents {
            Ok(contents) => {
                count_read += 1;
                if let Some(difference) = differs(&object, &contents) {
                    objects.findings.add(difference);
                }
                contents.events.iter().for_each(|event| tally.add(*event));
            }
            Err(LakeError::Storage { .. } | LakeError::Interrupted) => {
                objects
                    .findings
                    .unchecked(format!("{} could not be read; check again", object.key));
                complete = false;
            }
            // Said when sizes were compared.
            Err(LakeError::Missing { .. }) => complete = false,
            Err(error) => {
                complete = false;
                objects.findings.add(Difference {
                    what: format!("An object cannot be read: {}", events(&object)),
                    expected: "a Parquet file with all its rows".into(),
                    found: error.to_string(),
                    remedy: restore(&object),
                });
            }
        }
    }
    objects.read = Some(count_read);
    // What an unreadable object held would only be named twice.
    if complete {
        (objects.rows, objects.uncovered) = tally.differences(books);
    }
}

async fn read(lake: &Store, object: &BookedObject) -> Result<Contents, LakeError> {
    let rows = dash_lake::read(lake, &object.key, ALL_EVENTS).await?;
    futures::pin_mut!(rows);
    let mut contents = Contents::default();
    while let Some(group) = rows.try_next().await? {
        for row in group {
            let (first, last) = contents
                .ends
                .map_or((row.event, None), |(first, last)| (first, Some(last)));
            if last.is_some_and(|last| row.event <= last) {
                contents.disorder.get_or_insert(row.event);
            }
            contents.ends = Some((first, row.event));
            contents.rows += 1;
            contents.raw_bytes += row.raw.len() as u64;
            contents.events.push(row.event);
        }
    }
    Ok(contents)
}

/// What an object holds, against what the manifest says of it.
fn differs(object: &BookedObject, contents: &Contents) -> Option<Difference> {
    let difference = |what: &str, expected: String, found: String| {
        Some(Difference {
            what: format!("An object holds {what}: {}", object.key),
            expected,
            found,
            remedy: restore(object),
        })
    };
    if contents.rows != object.rows {
        return difference("another number of rows", count(object.rows), count(contents.rows));
    }
    if contents.ends != Some((object.first_event, object.last_event)) {
        let found = match contents.ends {
            Some((first, last)) => format!("{first} to {last}"),
            None => "none".into(),
        };
        return difference(
            "other events",
            format!("{} to {}", object.first_event, object.last_event),
            found,
        );
    }
    if let Some(event) = contents.disorder {
        return difference(
            "an event twice or out of order",
            "rising events".into(),
            format!("event {event}"),
        );
    }
    if contents.raw_bytes != object.raw_bytes {
        return difference(
            "other records",
            format!("{} bytes of records", count(object.raw_bytes)),
            count(contents.raw_bytes),
        );
    }
    None
}

/// Events of the lake by row of the ledger.
struct Tally<'a> {
    ranges: &'a [LedgerRange],
    found: Vec<u64>,
    uncovered: Vec<EventSeq>,
}

impl<'a> Tally<'a> {
    fn new(ranges: &'a [LedgerRange]) -> Self {
        Self {
            found: vec![0; ranges.len()],
            ranges,
            uncovered: Vec::new(),
        }
    }

    fn add(&mut self, event: EventSeq) {
        let after = self.ranges.partition_point(|range| range.first_event <= event);
        match after.checked_sub(1).filter(|at| self.ranges[*at].last_event >= event) {
            Some(at) => self.found[at] += 1,
            None => self.uncovered.push(event),
        }
    }

    fn differences(&self, books: &PipelineBooks) -> (Vec<Place>, Option<Place>) {
        let extent = |event: EventSeq| books.extents.iter().find(|e| e.node == event.node());
        let rows = self.ranges.iter().zip(&self.found);
        let differing = rows
            .filter(|(range, found)| {
                range.events != **found && extent(range.last_event).is_some_and(|e| range.last_event <= e.lake)
            })
            .map(|(range, found)| Place {
                first_event: range.first_event,
                last_event: range.last_event,
                booked: range.events,
                found: *found,
            });
        let mut uncovered = self
            .uncovered
            .iter()
            .copied()
            .filter(|event| extent(*event).is_some_and(|e| *event <= e.silver));
        let first = uncovered.next().map(|first| {
            let (n, last) = uncovered.fold((1, first), |(n, _), event| (n + 1, event));
            Place {
                first_event: first,
                last_event: last,
                booked: 0,
                found: n,
            }
        });
        (differing.collect(), first)
    }
}
