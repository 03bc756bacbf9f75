//! The live channel: one socket a tab, see [`crate::model::live`].

use leptos::{
    prelude::*,
    server_fn::{BoxedStream, Websocket, codec::JsonEncoding},
};

use crate::{
    AppError,
    model::live::{ClientMessage, ServerMessage},
};

/// Serves one tab until it leaves. Declared for the browser's end, which is generated from it; at its path the server answers itself
/// (`server/src/web/live.rs`), in the same framing, and never comes here.
#[server(protocol = Websocket<JsonEncoding, JsonEncoding>, endpoint = "live")]
pub async fn live(
    input: BoxedStream<ClientMessage, AppError>,
) -> Result<BoxedStream<ServerMessage, AppError>, AppError> {
    drop(input);
    Err(AppError::Unavailable {
        what: "The live channel".into(),
    })
}
