//! What goes over the websocket.
//!
//! Input: a digit for what it is. 0: a message of the browser, and of the server, as JSON. 1: a state, a patch and a later
//! patch, in a JSON array. 2: three states of one topic. 3: what happens to the browser's end.

mod browser;
mod states;

use dash_model::{
    live::{ClientMessage, QueryPatch, ServerMessage},
    query::QueryResult,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::input::Input;

/// Never panics; a message is read as it was written; a patch leads to the state it was made from; the browser's end
/// keeps to its protocol.
pub fn target(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => {
            let text = input.rest();
            message::<ClientMessage>(text);
            message::<ServerMessage>(text);
        }
        1 => {
            if let Ok((state, patch, later)) = serde_json::from_slice(input.rest()) {
                any_patch(state, &patch, &later);
            }
        }
        2 => states::target(&mut input),
        _ => browser::target(&mut input),
    }
}

fn message<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(text) else {
        return;
    };
    let written = serde_json::to_vec(&message).expect("JSON holds every message");
    let again: T = serde_json::from_slice(&written).expect("it was written here");
    assert_eq!(message, again, "a message changes on its way");
}

/// Made for another state, by a server gone mad: the state stays one that can be drawn.
fn any_patch(mut state: QueryResult, patch: &QueryPatch, later: &QueryPatch) {
    let _ = QueryPatch::between(&state, &state, false);
    let merged = patch.clone().then(later);
    let mut other = state.clone();
    merged.apply(&mut other);
    patch.apply(&mut state);
    assert_eq!((state.from_ms, state.to_ms), (patch.from_ms, patch.to_ms));
    later.apply(&mut state);
    assert_eq!((state.from_ms, state.resolution), (other.from_ms, other.resolution));
    if !later.replace {
        let tags = state.series.windows(2);
        assert!(
            tags.into_iter()
                .all(|w| dash_model::order::groups(&w[0].tags, &w[1].tags).is_le()),
            "series out of order"
        );
        assert!(
            state.series.iter().all(|s| !s.points.is_empty()),
            "a series without points"
        );
    }
}
