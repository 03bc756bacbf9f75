//! The browser's end of the socket, without the browser.

// As they stand in `app`, which itself brings Leptos: a minute more of compiling for two files that need none of it.
#[path = "../../../../app/src/live/backoff.rs"]
mod backoff;
#[allow(dead_code, reason = "pages ask for more than is asked here")]
#[path = "../../../../app/src/live/client.rs"]
mod client;

use client::{Action, Client, Connection, Event};
use dash_model::{
    live::{ClientMessage, Patch, Place, QueryPatch, ServerMessage, State, Topic},
    query::{MetricQuery, Point, QueryResult, QuerySpec, Resolution, Rollup, SeriesData, Shape, TimeRange},
};

use crate::input::Input;

/// Passing time, in milliseconds; clocks are set back, too.
const STEPS: &[i64] = &[0, 1, 500, 1_000, 20_000, 45_000, 3_600_000, -30_000];

/// Whatever comes, and in whatever order: nothing is due that was not done, nothing is said to a socket that is not open
/// or before the server's first word, no number of a subscription is used twice, and what nobody follows is forgotten.
pub fn target(input: &mut Input) {
    let topics = topics();
    let mut now = 1_700_000_000_000;
    let mut client = Client::new(u64::from(input.byte()), now);
    let mut world = World::default();
    while !input.is_empty() {
        now += input.pick(STEPS);
        let topic = input.pick(&[0, 1, 2]);
        let event = match input.below(7) {
            0 => {
                world.followers[topic] += 1;
                Event::Follow(topics[topic].clone())
            }
            1 => {
                world.followers[topic] = world.followers[topic].saturating_sub(1);
                Event::Leave(topics[topic].clone())
            }
            2 | 3 => Event::Message {
                conn: world.conn(input),
                message: message(input, world.last_sub, topic),
            },
            4 => Event::Closed {
                conn: world.conn(input),
            },
            5 => Event::Wake,
            _ => {
                if let Some(due) = client.deadline() {
                    now = now.max(due);
                }
                Event::Tick
            }
        };
        world.before(&event);
        for action in client.handle(event, now) {
            world.does(&action);
        }
        assert!(client.deadline().is_none_or(|due| due > now), "a deadline that passed");
        assert!(
            client.connection() != Connection::Live || world.heard,
            "live without a word"
        );
        for (topic, followers) in topics.iter().zip(world.followers) {
            assert!(
                followers > 0 || client.state(topic).is_none(),
                "a state that nobody follows"
            );
        }
    }
}

/// What is known of the client by what it did.
#[derive(Default)]
struct World {
    followers: [usize; 3],
    /// The newest socket, and whether it is open and has brought a message.
    conn: u32,
    open: bool,
    heard: bool,
    last_sub: u32,
}

impl World {
    /// The present socket mostly, or the one before.
    fn conn(&self, input: &mut Input) -> u32 {
        self.conn.saturating_sub(u32::from(input.below(4) == 1))
    }

    fn before(&mut self, event: &Event) {
        match event {
            Event::Message { conn, .. } if self.open && *conn == self.conn => self.heard = true,
            Event::Closed { conn } if *conn == self.conn => (self.open, self.heard) = (false, false),
            _ => {}
        }
    }

    fn does(&mut self, action: &Action) {
        match action {
            Action::Connect { conn } => {
                assert!(!self.open, "a second socket");
                assert!(*conn > self.conn, "a socket's name is used twice");
                (self.conn, self.open, self.heard) = (*conn, true, false);
            }
            Action::Disconnect => {
                assert!(self.open, "no socket to drop");
                (self.open, self.heard) = (false, false);
            }
            Action::Send(said) => {
                assert!(self.open && self.heard, "{said:?} is said to nobody");
                if let ClientMessage::Subscribe { sub, .. } = said {
                    assert!(*sub > self.last_sub, "the number of a subscription is used twice");
                    self.last_sub = *sub;
                }
            }
            Action::Changed(_) => {}
        }
    }
}

fn topics() -> [Topic; 3] {
    let query = MetricQuery {
        pipeline: "p".into(),
        metric: "m".into(),
        agg: Default::default(),
        by: vec![],
        only: vec![],
    };
    let spec = |width| QuerySpec {
        query: query.clone(),
        range: TimeRange::All,
        shape: Shape::Series { width },
    };
    [
        Topic::Pipeline("p".into()),
        Topic::Query(spec(1)),
        Topic::Query(spec(2)),
    ]
}

fn message(input: &mut Input, last_sub: u32, topic: usize) -> ServerMessage {
    let sub = last_sub.saturating_sub(input.below(3) as u32);
    let place = Place {
        epoch: input.below(2) as u64,
        seq: input.below(4) as u64,
    };
    match input.below(4) {
        0 => ServerMessage::Heartbeat { now_ms: 0 },
        1 => ServerMessage::Snapshot {
            sub,
            place,
            state: if topic == 0 {
                State::Pipeline(Default::default()).into()
            } else {
                State::Query(result(input)).into()
            },
        },
        2 => ServerMessage::Patch {
            sub,
            from: input.below(4) as u64,
            place,
            patch: if topic == 0 {
                Patch::Pipeline(Default::default()).into()
            } else {
                let result = result(input);
                Patch::Query(QueryPatch {
                    resolution: result.resolution,
                    from_ms: result.from_ms,
                    to_ms: result.to_ms,
                    series: result.series,
                    replace: input.below(2) == 1,
                })
                .into()
            },
        },
        _ => ServerMessage::Refused {
            sub,
            why: "no such metric".into(),
        },
    }
}

fn result(input: &mut Input) -> QueryResult {
    let from_ms = input.below(4) as i64;
    QueryResult {
        resolution: Resolution {
            bucket_ms: 0,
            from: Rollup::Raw,
        },
        from_ms,
        to_ms: 10,
        series: vec![SeriesData {
            tags: Default::default(),
            points: vec![Point(input.below(8) as i64, 1.0)],
        }],
        omitted_series: 0,
        unit: None,
    }
}
