//! The audit on data that is made up: what is right passes, and each thing that can be wrong is reported as itself.

use futures::stream;

use super::*;

/// Everything as it should be: two producers, the first keyed; 40 ids each in batches of 10; the last batch of the second was never taken.
#[derive(Clone)]
struct World {
    book: Book,
    bronze: Vec<Stored>,
    points: Vec<Point>,
    held: Vec<Held>,
}

fn world() -> World {
    let mut world = World {
        book: Book::new(2, 1),
        bronze: vec![],
        points: vec![],
        held: vec![],
    };
    let mut event = 100;
    for first in [0, 10, 20, 30] {
        for producer in [0, 1] {
            let batch = Batch {
                first,
                end: first + 10,
                base_ms: 1_000_000,
                state: State::Unknown,
            };
            world.book.sent(producer, batch);
            if (producer, first) == (1, 30) {
                continue;
            }
            // One without an answer is there all the same.
            if (producer, first) != (1, 20) {
                world.book.answered(producer, State::Acked(event));
            }
            let of = event;
            for id in batch.accepted() {
                world.add(producer, id, event, of);
                event += 1;
            }
        }
    }
    world
}

impl World {
    fn add(&mut self, producer: Producer, id: u64, event: i64, batch: i64) {
        let mut raw = String::new();
        event::write_record(&mut raw, producer, id, 1_000_000);
        let raw = Bytes::from(raw);
        self.bronze.push(Stored {
            event,
            batch,
            raw: raw.clone(),
        });
        match Kind::of(id) {
            Kind::Mapped => {
                for (metric, value) in [
                    (Metric::Id, id as f64),
                    (Metric::Mix, f64::from(event::mix(producer, id))),
                ] {
                    self.points.push(Point {
                        event,
                        metric,
                        producer,
                        value,
                        at_us: event::at_ms(producer, id, 1_000_000) * 1_000,
                    });
                }
            }
            Kind::Quarantined => self.held.push(Held { event, raw }),
            Kind::Filtered | Kind::Rejected => {}
        }
    }

    /// Leaves an event out of Bronze, Silver and quarantine.
    fn forget(&mut self, event: i64) {
        self.bronze.retain(|r| r.event != event);
        self.points.retain(|p| p.event != event);
        self.held.retain(|h| h.event != event);
    }

    async fn audit(self) -> Findings {
        audit_from(&self, &mut Seen::new()).await
    }
}

async fn audit_from(world: &World, seen: &mut Seen) -> Findings {
    let from = seen.watermark;
    let bronze: Vec<_> = world
        .bronze
        .iter()
        .filter(|r| r.event > from)
        .cloned()
        .map(Ok)
        .collect();
    let points: Vec<_> = world
        .points
        .iter()
        .filter(|r| r.event > from)
        .copied()
        .map(Ok)
        .collect();
    let held: Vec<_> = world.held.iter().filter(|r| r.event > from).cloned().map(Ok).collect();
    audit(
        &world.book,
        seen,
        bronze.into_iter(),
        stream::iter(points),
        stream::iter(held),
    )
    .await
    .unwrap()
}

/// What is found when this was done to the world.
async fn after(change: impl FnOnce(&mut World)) -> Findings {
    let mut world = world();
    change(&mut world);
    world.audit().await
}

#[tokio::test]
async fn what_is_as_it_should_be_passes() {
    let found = after(|_| ()).await;
    assert!(found.is_empty(), "{found}");
}

#[tokio::test]
async fn the_world_of_these_tests_has_every_kind_of_record() {
    let world = world();
    let mut seen = Seen::new();
    audit_from(&world, &mut seen).await;
    assert!(seen.mapped > 0 && seen.filtered > 0 && seen.quarantined > 0, "{seen:?}");
    assert!(rejected(&world.book, &seen) > 0);
}

#[tokio::test]
async fn an_acknowledged_id_that_is_missing_is_reported() {
    let found = after(|w| w.forget(101)).await;
    assert_eq!(found.kinds(), [Difference::Missing], "{found}");
    assert!(found.to_string().contains("p0 id 1"), "{found}");
}

#[tokio::test]
async fn an_id_under_two_events_is_reported() {
    let found = after(|w| w.add(0, 1, 500, 500)).await;
    assert_eq!(found.count(Difference::Duplicate), 1, "{found}");
    assert_eq!(found.count(Difference::PointForeign), event::METRICS, "{found}");
}

#[tokio::test]
async fn an_id_that_comes_again_in_a_later_audit_is_reported() {
    let mut world = world();
    let mut seen = Seen::new();
    assert!(audit_from(&world, &mut seen).await.is_empty());
    world.add(0, 2, 500, 498);
    assert_eq!(audit_from(&world, &mut seen).await.count(Difference::Duplicate), 1);
}

#[tokio::test]
async fn an_event_twice_in_bronze_is_reported() {
    let found = after(|w| {
        let again = w.bronze[3].clone();
        w.bronze.insert(4, again);
    })
    .await;
    assert_eq!(found.kinds(), [Difference::Misplaced], "{found}");
}

#[tokio::test]
async fn what_was_never_sent_is_reported() {
    for (producer, id) in [(0, 4_000), (5, 0), (0, 7)] {
        let found = after(|w| w.add(producer, id, 500, 500)).await;
        assert_eq!(found.count(Difference::Foreign), 1, "{producer} {id}: {found}");
    }
    let stranger = Stored {
        event: 500,
        batch: 500,
        raw: Bytes::from_static(b"{}"),
    };
    let found = after(|w| w.bronze.push(stranger)).await;
    assert_eq!(found.kinds(), [Difference::Foreign], "{found}");
}

#[tokio::test]
async fn what_was_refused_and_is_there_is_reported() {
    let found = after(|w| {
        w.book.answered(1, State::Refused);
        let first = 500;
        for (event, id) in (first..).zip((30..40).filter(|id| Kind::of(*id).is_accepted())) {
            w.add(1, id, event, first);
        }
    })
    .await;
    assert_eq!(found.kinds(), [Difference::Refused], "{found}");
}

#[tokio::test]
async fn a_part_of_an_unanswered_batch_is_reported() {
    let found = after(|w| w.add(1, 30, 500, 500)).await;
    assert_eq!(found.kinds(), [Difference::Torn], "{found}");
}

#[tokio::test]
async fn a_keyed_batch_without_an_answer_is_reported() {
    let found = after(|w| w.book.answered(0, State::Unknown)).await;
    assert_eq!(found.kinds(), [Difference::Missing], "{found}");
}

#[tokio::test]
async fn other_bytes_are_reported() {
    let found = after(|w| {
        let raw = String::from_utf8(w.bronze[0].raw.to_vec()).unwrap();
        w.bronze[0].raw = raw.replace("quotes", "quoted").into();
    })
    .await;
    assert_eq!(found.kinds(), [Difference::Changed], "{found}");
}

#[tokio::test]
async fn another_event_than_the_receipt_says_is_reported() {
    let found = after(|w| {
        let newest = w.book.producers().next().unwrap().1.last().unwrap().state;
        let State::Acked(event) = newest else { unreachable!() };
        w.book.answered(0, State::Acked(event + 1));
    })
    .await;
    assert_eq!(found.kinds(), [Difference::Misplaced], "{found}");
}

#[tokio::test]
async fn another_batch_than_it_should_be_is_reported() {
    let found = after(|w| w.bronze[2].batch += 1).await;
    assert_eq!(found.kinds(), [Difference::Misplaced], "{found}");
}

#[tokio::test]
async fn a_missing_point_is_reported() {
    let found = after(|w| {
        w.points.remove(4);
    })
    .await;
    assert_eq!(found.kinds(), [Difference::PointMissing], "{found}");
}

#[tokio::test]
async fn a_point_that_is_there_twice_is_reported() {
    let found = after(|w| w.points.insert(4, w.points[4])).await;
    assert_eq!(found.kinds(), [Difference::PointDuplicate], "{found}");
}

#[tokio::test]
async fn a_point_with_another_value_time_or_series_is_reported() {
    let changes: [fn(&mut Point); 3] = [|p| p.value += 1.0, |p| p.at_us += 1, |p| p.producer += 1];
    for change in changes {
        let found = after(|w| change(&mut w.points[4])).await;
        assert_eq!(found.kinds(), [Difference::PointWrong], "{found}");
    }
}

#[tokio::test]
async fn a_point_without_an_event_is_reported() {
    for event in [3, 999] {
        let found = after(|w| {
            let stray = Point { event, ..w.points[0] };
            w.points.push(stray);
            w.points.sort_by_key(|p| p.event);
        })
        .await;
        assert_eq!(found.kinds(), [Difference::PointForeign], "{found}");
    }
}

#[tokio::test]
async fn a_point_of_a_filtered_event_is_reported() {
    let found = after(|w| {
        let filtered = w.bronze.iter().find(|r| {
            let (_, id) = event::identify(&r.raw).unwrap();
            Kind::of(id) == Kind::Filtered
        });
        let event = filtered.unwrap().event;
        let stray = Point { event, ..w.points[0] };
        w.points.push(stray);
        w.points.sort_by_key(|p| p.event);
    })
    .await;
    assert_eq!(found.kinds(), [Difference::PointForeign], "{found}");
}

#[tokio::test]
async fn quarantine_that_is_not_as_it_should_be_is_reported() {
    let found = after(|w| drop(w.held.remove(0))).await;
    assert_eq!(found.kinds(), [Difference::QuarantineMissing], "{found}");
    let found = after(|w| w.held[0].raw = Bytes::from_static(b"{}")).await;
    assert_eq!(found.kinds(), [Difference::QuarantineForeign], "{found}");
    let found = after(|w| {
        w.held.push(Held {
            event: 100,
            raw: w.bronze[0].raw.clone(),
        });
        w.held.sort_by_key(|h| h.event);
    })
    .await;
    assert_eq!(found.kinds(), [Difference::QuarantineForeign], "{found}");
}

#[tokio::test]
async fn rows_that_are_not_sorted_are_an_error() {
    let mut world = world();
    world.points.swap(1, 2);
    let points: Vec<_> = world.points.iter().copied().map(Ok).collect();
    let mixed = audit(
        &world.book,
        &mut Seen::new(),
        world.bronze.iter().cloned().map(Ok),
        stream::iter(points),
        stream::iter(world.held.iter().cloned().map(Ok).collect::<Vec<_>>()),
    )
    .await;
    assert!(mixed.is_err());
}
