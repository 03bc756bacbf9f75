//! What components see of the live channel.

use leptos::prelude::*;

use super::Connection;
use crate::model::live::{State, Topic};

/// One topic as it is now.
#[derive(Clone, Copy)]
pub struct LiveHandle {
    /// The newest state; nothing before the first one came, and on the server.
    pub state: ReadSignal<Option<State>>,
    /// How fresh it is.
    pub status: Signal<Connection>,
    /// Why the server does not serve this topic.
    pub error: Signal<Option<String>>,
}

/// Holds the channel's status for everything inside; mounted outside the router, so that a change of page does not
/// cut the socket.
#[component]
pub fn LiveProvider(children: Children) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    super::tab::start();
    children()
}

/// How the channel of this tab is.
pub fn use_connection() -> Signal<Connection> {
    #[cfg(feature = "hydrate")]
    return super::tab::connection();
    #[cfg(not(feature = "hydrate"))]
    Signal::stored(Connection::Connecting)
}

/// Follows `topic` while the caller's owner lives. Two callers with the same topic share one subscription. When the topic
/// changes, the last state of the old one stays until the first of the new one comes.
pub fn use_live(topic: Signal<Option<Topic>>) -> LiveHandle {
    let (state, set_state) = signal(None);
    let (error, set_error) = signal(None);
    #[cfg(feature = "hydrate")]
    Effect::new(move |previous: Option<Option<super::tab::Follow>>| {
        let topic = topic.get();
        let same = previous.flatten().filter(|f| Some(f.topic()) == topic.as_ref());
        same.or_else(|| topic.map(|t| super::tab::follow(t, set_state, set_error)))
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (topic, set_state, set_error);
    LiveHandle {
        state,
        status: use_connection(),
        error: error.into(),
    }
}
