//! The thin part that needs a browser: socket, timer and the events of the window, for [`Client`] to decide.

use std::{cell::RefCell, collections::HashMap};

use futures::{StreamExt, channel::mpsc};
use leptos::{prelude::*, task::spawn_local};

use super::{
    Connection,
    client::{Action, Client, Event},
};
use crate::{
    AppError,
    model::live::{ClientMessage, State, Topic},
};

/// Set through the owner of a component, so that they may be gone already: hence `try_set`.
struct Listener {
    id: u64,
    state: WriteSignal<Option<State>>,
    error: WriteSignal<Option<String>>,
}

struct Tab {
    client: Client,
    connection: ArcRwSignal<Connection>,
    listeners: HashMap<Topic, Vec<Listener>>,
    next_listener: u64,
    /// What is sent to the socket; dropping it, and then the task that reads, closes the socket.
    out: Option<mpsc::UnboundedSender<Result<ClientMessage, AppError>>>,
    /// Ends the task that reads the socket.
    stop: Option<futures::future::AbortHandle>,
    /// When the earliest timer fires. Timers are never cleared: one that fires in vain costs less than the closure
    /// that a cleared one leaks.
    timer_at: Option<i64>,
}

thread_local! {
    /// A tab has one thread, and one socket.
    static TAB: RefCell<Tab> = RefCell::new(Tab {
        client: Client::new(js_sys::Math::random().to_bits(), now()),
        connection: ArcRwSignal::new(Connection::Connecting),
        listeners: HashMap::new(),
        next_listener: 0,
        out: None,
        stop: None,
        timer_at: None,
    });
}

fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// Listens to what makes a dead socket likely to live again.
pub fn start() {
    // `visibilitychange` bubbles from the document to the window. The listeners live as long as the tab.
    for name in ["online", "pageshow", "visibilitychange"] {
        window_event_listener_untyped(name, |_| {
            if !document().hidden() {
                feed(Event::Wake);
            }
        });
    }
}

pub fn connection() -> Signal<Connection> {
    TAB.with_borrow(|tab| tab.connection.clone()).into()
}

/// Follows a topic until it is dropped.
pub struct Follow {
    topic: Topic,
    id: u64,
}

impl Follow {
    pub fn topic(&self) -> &Topic {
        &self.topic
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        TAB.with_borrow_mut(|tab| {
            if let Some(listeners) = tab.listeners.get_mut(&self.topic) {
                listeners.retain(|l| l.id != self.id);
                if listeners.is_empty() {
                    tab.listeners.remove(&self.topic);
                }
            }
        });
        feed(Event::Leave(self.topic.clone()));
    }
}

pub fn follow(topic: Topic, state: WriteSignal<Option<State>>, error: WriteSignal<Option<String>>) -> Follow {
    let (id, known) = TAB.with_borrow_mut(|tab| {
        tab.next_listener += 1;
        let id = tab.next_listener;
        tab.listeners
            .entry(topic.clone())
            .or_default()
            .push(Listener { id, state, error });
        (id, tab.client.state(&topic).cloned())
    });
    // What another widget already holds is there at once.
    if known.is_some() {
        state.try_set(known);
    }
    error.try_set(None);
    feed(Event::Follow(topic.clone()));
    Follow { topic, id }
}

/// Lets the client decide, and does what it decided.
fn feed(event: Event) {
    let now = now();
    let actions = TAB.with_borrow_mut(|tab| tab.client.handle(event, now));
    for action in actions {
        match action {
            Action::Connect { conn } => connect(conn),
            Action::Disconnect => disconnect(),
            Action::Send(message) => TAB
                .with_borrow(|tab| {
                    // A socket that is gone says so by its end.
                    tab.out.as_ref().map(|out| out.unbounded_send(Ok(message)).is_ok())
                })
                .map_or((), drop),
            Action::Changed(topic) => publish(&topic),
        }
    }
    let (connection, status) = TAB.with_borrow(|tab| (tab.connection.clone(), tab.client.connection()));
    if connection.get_untracked() != status {
        connection.set(status);
    }
    schedule(now);
}

fn publish(topic: &Topic) {
    let (state, error, listeners) = TAB.with_borrow(|tab| {
        let listeners: Vec<_> = tab
            .listeners
            .get(topic)
            .into_iter()
            .flatten()
            .map(|l| (l.state, l.error))
            .collect();
        let state = tab.client.state(topic).cloned();
        (state, tab.client.refusal(topic).map(str::to_owned), listeners)
    });
    for (set_state, set_error) in listeners {
        set_state.try_set(state.clone());
        set_error.try_set(error.clone());
    }
}

fn connect(conn: u32) {
    let (out, input) = mpsc::unbounded();
    let (stop, stopped) = futures::future::AbortHandle::new_pair();
    TAB.with_borrow_mut(|tab| {
        tab.out = Some(out);
        tab.stop = Some(stop);
    });
    let task = async move {
        if let Ok(mut messages) = crate::api::live(input.into()).await {
            while let Some(message) = messages.next().await {
                // An error is followed by the end of the stream.
                if let Ok(message) = message {
                    feed(Event::Message { conn, message });
                }
            }
        }
        TAB.with_borrow_mut(|tab| tab.out = None);
        feed(Event::Closed { conn });
    };
    spawn_local(async move {
        // An abort is the client's own wish: it knows.
        let _ = futures::future::Abortable::new(task, stopped).await;
    });
}

fn disconnect() {
    TAB.with_borrow_mut(|tab| {
        tab.out = None;
        if let Some(stop) = tab.stop.take() {
            stop.abort();
        }
    });
}

/// A timer for the client's next deadline, unless one fires earlier anyway.
fn schedule(now: i64) {
    let wait = TAB.with_borrow_mut(|tab| {
        let at = tab.client.deadline()?;
        if tab.timer_at.is_some_and(|t| t <= at) {
            return None;
        }
        tab.timer_at = Some(at);
        Some((at - now).clamp(1, 60_000) as u64)
    });
    let Some(wait) = wait else { return };
    let fire = || {
        TAB.with_borrow_mut(|tab| tab.timer_at = None);
        feed(Event::Tick);
    };
    set_timeout(fire, std::time::Duration::from_millis(wait));
}
