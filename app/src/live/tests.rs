//! The client against a model of the hub and of a network that loses, cuts and repeats.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::client::*;
use crate::model::{
    live::{ClientMessage, Patch, Place, QueryPatch, ServerMessage, State, Topic},
    mapping::Tags,
    query::{
        Aggregation, MetricQuery, Point, QueryResult, QuerySpec, Resolution, Rollup, SeriesData, Shape, TimeRange,
    },
    stats::PipelineStats,
};

fn query_topic() -> Topic {
    Topic::Query(QuerySpec {
        query: MetricQuery {
            pipeline: "machine".into(),
            metric: "cpu".into(),
            agg: Aggregation::Avg,
            by: vec![],
            only: vec![],
        },
        range: TimeRange::Last { seconds: 60 },
        shape: Shape::Series { width: 200 },
    })
}

fn pipeline_topic() -> Topic {
    Topic::Pipeline("machine".into())
}

fn topic(which: bool) -> Topic {
    if which { query_topic() } else { pipeline_topic() }
}

/// One life after another of a server that keeps all its states, so that a resume can be answered by a patch.
#[derive(Default)]
struct Hub {
    epoch: u64,
    query: Vec<QueryResult>,
    pipeline: Vec<PipelineStats>,
    /// What each subscription of the present socket was sent last.
    subscribers: BTreeMap<u32, (Topic, u64)>,
}

impl Hub {
    fn new() -> Self {
        let mut hub = Self::default();
        hub.restart();
        hub
    }

    fn restart(&mut self) {
        self.epoch += 1;
        let query = self.query.pop().unwrap_or_else(|| QueryResult {
            resolution: Resolution {
                bucket_ms: 1_000,
                from: Rollup::Raw,
            },
            from_ms: 0,
            to_ms: 0,
            series: vec![],
            omitted_series: 0,
            unit: None,
        });
        self.query = vec![query];
        self.pipeline = vec![self.pipeline.pop().unwrap_or_default()];
        self.subscribers.clear();
    }

    fn newest(&self, topic: &Topic) -> (u64, State) {
        match topic {
            Topic::Query(_) => (
                self.query.len() as u64,
                State::Query(self.query.last().expect("one").clone()),
            ),
            Topic::Pipeline(_) => (
                self.pipeline.len() as u64,
                State::Pipeline(self.pipeline.last().expect("one").clone()),
            ),
        }
    }

    /// What brings a viewer from `from` to the newest state.
    fn answer(&self, sub: u32, topic: &Topic, from: Option<u64>) -> ServerMessage {
        let (seq, state) = self.newest(topic);
        let place = Place { epoch: self.epoch, seq };
        let patch = from.and_then(|from| match &state {
            State::Query(new) => QueryPatch::between(&self.query[from as usize - 1], new, false).map(Patch::Query),
            State::Pipeline(new) => Some(Patch::Pipeline(new.clone())),
        });
        match (patch, from) {
            (Some(patch), Some(from)) => ServerMessage::Patch {
                sub,
                from,
                place,
                patch: patch.into(),
            },
            _ => ServerMessage::Snapshot {
                sub,
                place,
                state: state.into(),
            },
        }
    }

    fn receive(&mut self, message: ClientMessage) -> Vec<ServerMessage> {
        match message {
            ClientMessage::Subscribe { sub, topic, resume } => {
                let known = resume.filter(|r| r.epoch == self.epoch && r.seq <= self.newest(&topic).0);
                let answer = self.answer(sub, &topic, known.map(|r| r.seq));
                self.subscribers.insert(sub, (topic.clone(), self.newest(&topic).0));
                vec![answer]
            }
            ClientMessage::Unsubscribe { sub } => {
                self.subscribers.remove(&sub);
                vec![]
            }
            ClientMessage::Ping => vec![],
        }
    }

    fn publish(&mut self, which: bool, value: i32, drop_before: i64) -> Vec<ServerMessage> {
        if which {
            let mut next = self.query.last().expect("one").clone();
            next.from_ms += drop_before;
            next.to_ms += 10;
            let point = Point(next.to_ms, f64::from(value));
            let tags = Tags::from([("core".into(), (value.rem_euclid(3)).to_string())]);
            match next.series.iter_mut().find(|s| s.tags == tags) {
                Some(s) => s.points.push(point),
                None => next.series.push(SeriesData {
                    tags,
                    points: vec![point],
                }),
            }
            for s in &mut next.series {
                s.points.retain(|p| p.0 >= next.from_ms);
            }
            next.series.retain(|s| !s.points.is_empty());
            next.series.sort_by(|a, b| a.tags.cmp(&b.tags));
            self.query.push(next);
        } else {
            self.pipeline.push(PipelineStats {
                received: self.pipeline.len() as u64,
                rejected: value.unsigned_abs().into(),
                ..Default::default()
            });
        }
        let subscribers = std::mem::take(&mut self.subscribers);
        let messages = subscribers
            .iter()
            .filter(|(_, (t, _))| *t == topic(which))
            .map(|(sub, (t, seen))| self.answer(*sub, t, Some(*seen)))
            .collect();
        self.subscribers = subscribers;
        let newest = self.newest(&topic(which)).0;
        for (t, seen) in self.subscribers.values_mut() {
            if *t == topic(which) {
                *seen = newest;
            }
        }
        messages
    }
}

#[derive(Clone, Debug)]
enum Step {
    Follow(bool),
    Leave(bool),
    Publish {
        query: bool,
        value: i32,
        drop_before: i64,
    },
    /// One message each way, when there is one.
    Deliver,
    Lose,
    Repeat,
    Cut,
    Restart,
    Wait(i64),
    Wake,
}

struct World {
    client: Client,
    hub: Hub,
    now: i64,
    conn: Option<u32>,
    up: VecDeque<ClientMessage>,
    down: VecDeque<ServerMessage>,
    followed: [u32; 2],
}

impl World {
    fn new() -> Self {
        Self {
            client: Client::new(42, 0),
            hub: Hub::new(),
            now: 0,
            conn: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            followed: [0, 0],
        }
    }

    fn feed(&mut self, event: Event) {
        for action in self.client.handle(event, self.now) {
            match action {
                Action::Connect { conn } => {
                    assert_eq!(self.conn, None, "one socket at a time");
                    self.conn = Some(conn);
                    self.down.push_back(ServerMessage::Heartbeat { now_ms: self.now });
                }
                Action::Disconnect => self.hang_up(),
                Action::Send(message) => {
                    assert!(self.conn.is_some(), "sent without a socket");
                    self.up.push_back(message);
                }
                Action::Changed(_) => {}
            }
        }
    }

    fn hang_up(&mut self) {
        self.conn = None;
        self.up.clear();
        self.down.clear();
        self.hub.subscribers.clear();
    }

    fn cut(&mut self) {
        if let Some(conn) = self.conn {
            self.hang_up();
            self.feed(Event::Closed { conn });
        }
    }

    fn deliver(&mut self) -> bool {
        let mut moved = false;
        if let Some(message) = self.up.pop_front() {
            self.down.extend(self.hub.receive(message));
            moved = true;
        }
        if let (Some(message), Some(conn)) = (self.down.pop_front(), self.conn) {
            self.feed(Event::Message { conn, message });
            moved = true;
        }
        moved
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Follow(which) => {
                self.followed[usize::from(which)] += 1;
                self.feed(Event::Follow(topic(which)));
            }
            Step::Leave(which) if self.followed[usize::from(which)] > 0 => {
                self.followed[usize::from(which)] -= 1;
                self.feed(Event::Leave(topic(which)));
            }
            Step::Leave(_) => {}
            Step::Publish {
                query,
                value,
                drop_before,
            } => {
                let messages = self.hub.publish(query, value, drop_before);
                self.down.extend(messages);
            }
            Step::Deliver => {
                self.deliver();
            }
            Step::Lose => {
                self.down.pop_front();
            }
            Step::Repeat => {
                let first = self.down.front().cloned();
                self.down.extend(first);
            }
            Step::Cut => self.cut(),
            Step::Restart => {
                self.hub.restart();
                self.cut();
            }
            Step::Wait(ms) => {
                self.now += ms;
                self.feed(Event::Tick);
            }
            Step::Wake => self.feed(Event::Wake),
        }
    }

    /// A network without faults, until nothing is on its way.
    fn settle(&mut self) {
        // A lost message shows with the next one that arrives: one more state of each topic.
        for query in [true, false] {
            let messages = self.hub.publish(query, 1, 0);
            self.down.extend(messages);
        }
        for _ in 0..60 {
            while self.deliver() {}
            self.now += 1_000;
            if self.conn.is_some() {
                self.down.push_back(ServerMessage::Heartbeat { now_ms: self.now });
            }
            self.feed(Event::Tick);
        }
        while self.deliver() {}
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Follow),
        1 => any::<bool>().prop_map(Step::Leave),
        6 => (any::<bool>(), any::<i32>(), 0i64..15)
            .prop_map(|(query, value, drop_before)| Step::Publish { query, value, drop_before }),
        8 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        1 => Just(Step::Repeat),
        2 => Just(Step::Cut),
        1 => Just(Step::Restart),
        3 => (0i64..50_000).prop_map(Step::Wait),
        1 => Just(Step::Wake),
    ]
}

proptest! {
    #[test]
    fn whatever_is_lost_or_cut_the_client_ends_in_the_servers_state(steps in proptest::collection::vec(any_step(), 0..80)) {
        let mut world = World::new();
        world.step(Step::Follow(true));
        for step in steps {
            world.step(step);
        }
        world.settle();
        for which in [true, false] {
            let topic = topic(which);
            if world.followed[usize::from(which)] > 0 {
                prop_assert_eq!(world.client.state(&topic), Some(&world.hub.newest(&topic).1));
                prop_assert_eq!(world.client.connection(), Connection::Live);
            } else {
                prop_assert_eq!(world.client.state(&topic), None);
                prop_assert!(world.hub.subscribers.values().all(|(t, _)| *t != topic));
            }
        }
    }

    #[test]
    fn the_next_deadline_is_never_in_the_past(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.feed(Event::Tick);
            if let Some(at) = world.client.deadline() {
                prop_assert!(at > world.now, "{} <= {}", at, world.now);
            }
        }
    }
}

fn live_world() -> World {
    let mut world = World::new();
    world.step(Step::Follow(true));
    while world.deliver() {}
    world
}

#[test]
fn a_topic_followed_twice_is_one_subscription_until_the_last_leaves() {
    let mut world = live_world();
    world.step(Step::Follow(true));
    while world.deliver() {}
    assert_eq!(world.hub.subscribers.len(), 1);
    world.step(Step::Leave(true));
    while world.deliver() {}
    assert_eq!(world.hub.subscribers.len(), 1);
    world.step(Step::Leave(true));
    while world.deliver() {}
    assert_eq!(world.hub.subscribers.len(), 0);
}

#[test]
fn after_a_cut_it_resumes_where_it_was() {
    let mut world = live_world();
    world.step(Step::Cut);
    let at = world.client.deadline().expect("an attempt");
    world.now = at;
    world.feed(Event::Tick);
    assert_eq!(world.up, [], "the server speaks first");
    world.deliver();
    let Some(ClientMessage::Subscribe { resume, .. }) = world.up.front() else {
        panic!("{:?}", world.up);
    };
    assert_eq!(*resume, Some(Place { epoch: 1, seq: 1 }));
}

#[test]
fn a_patch_for_another_state_starts_the_subscription_over() {
    let mut world = live_world();
    world.step(Step::Publish {
        query: true,
        value: 1,
        drop_before: 0,
    });
    world.step(Step::Lose);
    world.step(Step::Publish {
        query: true,
        value: 2,
        drop_before: 0,
    });
    while world.deliver() {}
    assert_ne!(
        world.client.state(&query_topic()),
        Some(&world.hub.newest(&query_topic()).1)
    );
    world.step(Step::Wait(1_000));
    let subscribe = world.up.front().cloned();
    assert!(
        matches!(subscribe, Some(ClientMessage::Subscribe { resume: None, .. })),
        "{subscribe:?}"
    );
    while world.deliver() {}
    assert_eq!(
        world.client.state(&query_topic()),
        Some(&world.hub.newest(&query_topic()).1)
    );
}

#[test]
fn silence_ends_a_socket_and_the_page_says_since_when() {
    let mut world = live_world();
    world.step(Step::Wait(SILENCE_MS - 1));
    assert_eq!(world.client.connection(), Connection::Live);
    world.step(Step::Wait(1));
    assert_eq!(world.client.connection(), Connection::Stale { since_ms: 0 });
    assert_eq!(world.conn, None);
}

#[test]
fn it_pings_every_twenty_seconds() {
    let mut world = live_world();
    world.step(Step::Wait(PING_MS));
    assert_eq!(world.up, [ClientMessage::Ping]);
}

#[test]
fn waking_up_does_not_wait_for_the_next_attempt() {
    let mut world = live_world();
    world.step(Step::Cut);
    assert_eq!(world.conn, None);
    world.step(Step::Wake);
    assert!(world.conn.is_some());
}

#[test]
fn a_refused_topic_says_why_and_is_asked_for_again() {
    let mut world = World::new();
    world.step(Step::Follow(true));
    world.deliver();
    let Some(ClientMessage::Subscribe { sub, .. }) = world.up.pop_front() else {
        panic!("no subscription");
    };
    world.down.push_back(ServerMessage::Refused {
        sub,
        why: "no such metric".into(),
    });
    while world.deliver() {}
    assert_eq!(world.client.refusal(&query_topic()), Some("no such metric"));
    world.step(Step::Wait(15_000));
    while world.deliver() {}
    assert_eq!(world.client.refusal(&query_topic()), None);
    assert!(world.client.state(&query_topic()).is_some());
}
