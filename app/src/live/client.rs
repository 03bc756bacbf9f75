//! What the browser's end of the live channel does, without a browser: events in, actions out.
//!
//! Time comes from outside (milliseconds of the wall clock, which moves on while a laptop sleeps), so does what the
//! socket says. That the state here ends as the server's, whatever is lost on the way, is proved in `tests`.

use crate::model::live::{ClientMessage, Patch, Place, ServerMessage, State, Topic};

use super::backoff::Backoff;

/// The server hears from a tab at least this often.
pub const PING_MS: i64 = 20_000;
/// A socket that is silent for so long is dead: the server's heartbeat comes every 20 s.
pub const SILENCE_MS: i64 = 45_000;
/// A new socket has so long to bring its first message.
pub const CONNECT_MS: i64 = 15_000;
/// A socket that lived so long was no accident: the next wait begins small.
const SETTLED_MS: i64 = 10_000;
/// A topic that the server refused is asked for again after this.
const REFUSED_MS: i64 = 15_000;
/// A subscription that lost its place starts over at most this often.
const RESYNC_MS: i64 = 1_000;
/// After a sleep or a change of network, a socket silent for longer than a heartbeat is not trusted.
const DOUBT_MS: i64 = 25_000;

/// What happens to the client. `conn` names the socket, so that the end of an old one is not taken for the new one's.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody looks at this topic; each is undone by one [`Event::Leave`].
    Follow(Topic),
    Leave(Topic),
    Message {
        conn: u32,
        message: ServerMessage,
    },
    Closed {
        conn: u32,
    },
    /// The browser is online or the tab visible again.
    Wake,
    /// The time of [`Client::deadline`] has come.
    Tick,
}

/// What the one who feeds the events has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a socket and call it `conn`.
    Connect {
        conn: u32,
    },
    /// Drop the socket.
    Disconnect,
    Send(ClientMessage),
    /// [`Client::state`] or [`Client::refusal`] of this topic changed.
    Changed(Topic),
}

/// How fresh everything is that came over the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    Connecting,
    Live,
    /// Nothing was heard since, milliseconds since 1970.
    Stale {
        since_ms: i64,
    },
}

#[derive(Debug)]
enum Link {
    /// Nobody followed anything yet.
    Idle,
    /// The next attempt is due at this time.
    Waiting { at: i64 },
    Up {
        conn: u32,
        opened: i64,
        heard: bool,
        pinged: i64,
    },
}

#[derive(Debug)]
struct Subscription {
    topic: Topic,
    users: u32,
    /// Its number on the present socket. Never used twice, so that what is still on its way to an old one is not taken
    /// for the new one's.
    wire: Option<u32>,
    /// Not asked for before this time.
    not_before: i64,
    state: Option<State>,
    /// Where to resume; absent when the state's place is not known for sure.
    place: Option<Place>,
    refusal: Option<String>,
}

/// The state of one tab's channel.
#[derive(Debug)]
pub struct Client {
    link: Link,
    subscriptions: Vec<Subscription>,
    backoff: Backoff,
    started: i64,
    last_heard: Option<i64>,
    next_conn: u32,
    next_wire: u32,
}

impl Client {
    pub fn new(seed: u64, now: i64) -> Self {
        Self {
            link: Link::Idle,
            subscriptions: Vec::new(),
            backoff: Backoff::new(seed),
            started: now,
            last_heard: None,
            next_conn: 0,
            next_wire: 0,
        }
    }

    pub fn connection(&self) -> Connection {
        match (&self.link, self.last_heard) {
            (Link::Up { heard: true, .. }, _) => Connection::Live,
            (_, Some(since_ms)) => Connection::Stale { since_ms },
            // What the page was rendered with ages as well when no socket ever opens.
            _ if self.backoff.attempt() > 1 => Connection::Stale { since_ms: self.started },
            _ => Connection::Connecting,
        }
    }

    pub fn state(&self, topic: &Topic) -> Option<&State> {
        self.find(topic).and_then(|s| s.state.as_ref())
    }

    /// Why the server does not serve this topic.
    pub fn refusal(&self, topic: &Topic) -> Option<&str> {
        self.find(topic).and_then(|s| s.refusal.as_deref())
    }

    /// When [`Event::Tick`] is wanted next.
    pub fn deadline(&self) -> Option<i64> {
        match self.link {
            Link::Idle => None,
            Link::Waiting { at } => (!self.subscriptions.is_empty()).then_some(at),
            Link::Up {
                opened, heard: false, ..
            } => Some(self.dead_at(opened, false)),
            Link::Up { opened, pinged, .. } => {
                let dead = self.dead_at(opened, true);
                let asks = self
                    .subscriptions
                    .iter()
                    .filter(|s| s.wire.is_none())
                    .map(|s| s.not_before);
                asks.chain([dead, pinged + PING_MS]).min()
            }
        }
    }

    /// Takes one event at `now`.
    pub fn handle(&mut self, event: Event, now: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        self.mind_the_clock(now);
        match event {
            Event::Follow(topic) => self.follow(topic, now),
            Event::Leave(topic) => self.leave(&topic, &mut actions),
            Event::Message { conn, message } if self.is_current(conn) => self.hear(message, now, &mut actions),
            Event::Closed { conn } if self.is_current(conn) => self.wait(now),
            Event::Message { .. } | Event::Closed { .. } | Event::Tick => {}
            Event::Wake => self.wake(now, &mut actions),
        }
        self.catch_up(now, &mut actions);
        actions
    }

    fn find(&self, topic: &Topic) -> Option<&Subscription> {
        self.subscriptions.iter().find(|s| s.topic == *topic)
    }

    fn is_current(&self, conn: u32) -> bool {
        matches!(self.link, Link::Up { conn: current, .. } if current == conn)
    }

    fn dead_at(&self, opened: i64, heard: bool) -> i64 {
        if heard {
            self.last_heard.unwrap_or(opened) + SILENCE_MS
        } else {
            opened + CONNECT_MS
        }
    }

    /// A clock that was set back must not leave a deadline in a far future.
    fn mind_the_clock(&mut self, now: i64) {
        if let Some(heard) = &mut self.last_heard {
            *heard = now.min(*heard);
        }
        match &mut self.link {
            Link::Idle => {}
            Link::Waiting { at } => *at = (*at).min(now + 30_000),
            Link::Up { opened, pinged, .. } => {
                *opened = now.min(*opened);
                *pinged = now.min(*pinged);
            }
        }
        for s in &mut self.subscriptions {
            s.not_before = s.not_before.min(now + REFUSED_MS);
        }
    }

    fn follow(&mut self, topic: Topic, now: i64) {
        match self.subscriptions.iter_mut().find(|s| s.topic == topic) {
            Some(s) => s.users += 1,
            None => self.subscriptions.push(Subscription {
                topic,
                users: 1,
                wire: None,
                not_before: now,
                state: None,
                place: None,
                refusal: None,
            }),
        }
        if matches!(self.link, Link::Idle) {
            self.link = Link::Waiting { at: now };
        }
    }

    fn leave(&mut self, topic: &Topic, actions: &mut Vec<Action>) {
        let Some(i) = self.subscriptions.iter().position(|s| s.topic == *topic) else {
            return;
        };
        let s = &mut self.subscriptions[i];
        s.users -= 1;
        if s.users == 0 {
            let s = self.subscriptions.swap_remove(i);
            actions.extend(s.wire.map(|sub| Action::Send(ClientMessage::Unsubscribe { sub })));
        }
    }

    fn wake(&mut self, now: i64, actions: &mut Vec<Action>) {
        match &mut self.link {
            Link::Idle => {}
            Link::Waiting { at } => *at = now,
            Link::Up { opened, .. } => {
                if self.last_heard.unwrap_or(*opened).max(*opened) + DOUBT_MS < now {
                    actions.push(Action::Disconnect);
                    self.wait(now);
                    self.link = Link::Waiting { at: now };
                }
            }
        }
    }

    /// The socket is gone: tries again later.
    fn wait(&mut self, now: i64) {
        if let Link::Up {
            opened, heard: true, ..
        } = self.link
            && now - opened >= SETTLED_MS
        {
            self.backoff.reset();
        }
        self.link = Link::Waiting {
            at: now + self.backoff.next_ms(),
        };
        for s in &mut self.subscriptions {
            s.wire = None;
            s.not_before = now;
        }
    }

    fn hear(&mut self, message: ServerMessage, now: i64, actions: &mut Vec<Action>) {
        if let Link::Up { heard, .. } = &mut self.link {
            *heard = true;
        }
        self.last_heard = Some(now);
        match message {
            ServerMessage::Heartbeat { .. } => {}
            ServerMessage::Snapshot { sub, place, state } => {
                if let Some(s) = self.wired(sub) {
                    s.state = Some(state.into_value());
                    s.place = Some(place);
                    s.refusal = None;
                    actions.push(Action::Changed(s.topic.clone()));
                }
            }
            ServerMessage::Patch {
                sub,
                from,
                place,
                patch,
            } => {
                let Some(s) = self.wired(sub) else { return };
                if s.apply(from, place, patch.into_value()) {
                    s.refusal = None;
                    actions.push(Action::Changed(s.topic.clone()));
                } else {
                    s.place = None;
                    s.wire = None;
                    s.not_before = now + RESYNC_MS;
                    actions.push(Action::Send(ClientMessage::Unsubscribe { sub }));
                }
            }
            ServerMessage::Refused { sub, why } => {
                if let Some(s) = self.wired(sub) {
                    s.refusal = Some(why);
                    s.wire = None;
                    s.not_before = now + REFUSED_MS;
                    actions.push(Action::Changed(s.topic.clone()));
                }
            }
        }
    }

    fn wired(&mut self, sub: u32) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|s| s.wire == Some(sub))
    }

    /// Does what is due.
    fn catch_up(&mut self, now: i64, actions: &mut Vec<Action>) {
        if let Link::Up { opened, heard, .. } = self.link
            && self.dead_at(opened, heard) <= now
        {
            actions.push(Action::Disconnect);
            self.wait(now);
        }
        if let Link::Waiting { at } = self.link
            && at <= now
            && !self.subscriptions.is_empty()
        {
            self.next_conn += 1;
            let conn = self.next_conn;
            self.link = Link::Up {
                conn,
                opened: now,
                heard: false,
                pinged: now,
            };
            actions.push(Action::Connect { conn });
        }
        // Nothing is said before the server's first word: what is sent to a socket that never opens fills the console.
        let Link::Up {
            heard: true, pinged, ..
        } = &mut self.link
        else {
            return;
        };
        if *pinged + PING_MS <= now {
            *pinged = now;
            actions.push(Action::Send(ClientMessage::Ping));
        }
        for s in &mut self.subscriptions {
            if s.wire.is_none() && s.not_before <= now {
                self.next_wire += 1;
                s.wire = Some(self.next_wire);
                actions.push(Action::Send(ClientMessage::Subscribe {
                    sub: self.next_wire,
                    topic: s.topic.clone(),
                    resume: s.place,
                }));
            }
        }
    }
}

impl Subscription {
    /// False when the patch was not made for the state that is held here.
    fn apply(&mut self, from: u64, place: Place, patch: Patch) -> bool {
        let expected = Some(Place {
            epoch: place.epoch,
            seq: from,
        });
        if self.place != expected {
            return false;
        }
        match (&mut self.state, patch) {
            (Some(State::Query(state)), Patch::Query(patch)) => patch.apply(state),
            (Some(State::Pipeline(state)), Patch::Pipeline(new)) => *state = new,
            _ => return false,
        }
        self.place = Some(place);
        true
    }
}
