//! One socket: its subscriptions and what it is sent.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use app::ports::BoxStream;
use dash_model::{
    Micros,
    live::{ClientMessage, Place, ServerMessage, Topic},
};
use futures::StreamExt;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_stream::{
    StreamMap,
    wrappers::{ReceiverStream, WatchStream},
};

use super::{
    hub::{Followed, Hub},
    topic::Update,
};

/// Time between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A browser that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Subscriptions of one socket.
const MAX_SUBSCRIPTIONS: usize = 200;

struct Subscription {
    followed: Arc<Followed>,
    seen: Option<Place>,
    /// The browser knows that it is followed.
    told: bool,
}

/// Serves one socket until its input ends. One task owns both directions and ends with the input: the transport keeps
/// an idle output for ever after its reader has left.
pub fn serve(hub: Hub, input: BoxStream<ClientMessage>) -> BoxStream<ServerMessage> {
    // One message waits for the transport; the next is made when there is room for it, of the newest state.
    let (output, messages) = mpsc::channel(1);
    tokio::spawn(run(hub, input, output));
    Box::pin(ReceiverStream::new(messages))
}

async fn run(hub: Hub, input: BoxStream<ClientMessage>, output: mpsc::Sender<ServerMessage>) {
    let mut input = pin!(input);
    let mut subscriptions: HashMap<u32, Subscription> = HashMap::new();
    let mut changes = StreamMap::new();
    let mut waiting: Vec<u32> = Vec::new();
    let mut refusals: Vec<(u32, String)> = Vec::new();
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat_due = false;
    let mut last_heard = Instant::now();
    loop {
        let something = beat_due || !waiting.is_empty() || !refusals.is_empty();
        tokio::select! {
            message = input.next() => {
                let Some(message) = message else { return };
                last_heard = Instant::now();
                match message {
                    ClientMessage::Ping => {}
                    ClientMessage::Unsubscribe { sub } => {
                        subscriptions.remove(&sub);
                        changes.remove(&sub);
                        waiting.retain(|w| *w != sub);
                    }
                    ClientMessage::Subscribe { sub, topic, resume } => {
                        match subscribe(&hub, &topic, resume, subscriptions.len()).await {
                            Ok(subscription) => {
                                changes.insert(sub, WatchStream::new(subscription.followed.history.changes()));
                                subscriptions.insert(sub, subscription);
                            }
                            Err(why) => refusals.push((sub, why)),
                        }
                    }
                }
            }
            Some((sub, _)) = changes.next() => {
                if !waiting.contains(&sub) {
                    waiting.push(sub);
                }
            }
            permit = output.reserve(), if something => {
                let Ok(permit) = permit else { return };
                if beat_due {
                    beat_due = false;
                    permit.send(ServerMessage::Heartbeat { now_ms: now().millis() });
                } else if let Some((sub, why)) = refusals.pop() {
                    permit.send(ServerMessage::Refused { sub, why });
                } else {
                    // In turn, so that a busy subscription does not starve the others.
                    let sub = waiting.remove(0);
                    let message = subscriptions.get_mut(&sub).and_then(|s| next(sub, s));
                    if let Some(ServerMessage::Refused { .. }) = message {
                        // The browser forgets this number, and asks again under another.
                        subscriptions.remove(&sub);
                        changes.remove(&sub);
                    }
                    if let Some(message) = message {
                        permit.send(message);
                    }
                }
            }
            _ = heartbeat.tick() => beat_due = true,
            () = sleep_until(last_heard + SILENCE) => return,
            () = hub.closed() => return,
        }
    }
}

async fn subscribe(hub: &Hub, topic: &Topic, seen: Option<Place>, count: usize) -> Result<Subscription, String> {
    if count >= MAX_SUBSCRIPTIONS {
        return Err(format!("one page follows at most {MAX_SUBSCRIPTIONS} topics"));
    }
    let followed = hub.follow(topic).await.map_err(|e| e.to_string())?;
    Ok(Subscription {
        followed,
        seen,
        told: false,
    })
}

/// What this subscription is to be sent now.
fn next(sub: u32, subscription: &mut Subscription) -> Option<ServerMessage> {
    let history = &subscription.followed.history;
    if let Some(why) = history.refused() {
        return Some(ServerMessage::Refused { sub, why });
    }
    let mut update = history.since(subscription.seen);
    if update.is_none() && !subscription.told {
        update = subscription.seen.and_then(|seen| history.confirm(seen));
    }
    let update = update?;
    subscription.told = true;
    Some(match update {
        Update::Snapshot { place, state } => {
            subscription.seen = Some(place);
            ServerMessage::Snapshot { sub, place, state }
        }
        Update::Patch { from, place, patch } => {
            subscription.seen = Some(place);
            ServerMessage::Patch {
                sub,
                from,
                place,
                patch,
            }
        }
    })
}

fn now() -> Micros {
    crate::clock::now()
}
