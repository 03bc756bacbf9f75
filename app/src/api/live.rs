//! The live channel: one socket a tab, see [`crate::model::live`].

use leptos::{
    prelude::*,
    server_fn::{BoxedStream, Websocket, codec::JsonEncoding},
};

use crate::{
    AppError,
    model::live::{ClientMessage, ServerMessage},
};

/// Serves one tab until it leaves.
#[server(protocol = Websocket<JsonEncoding, JsonEncoding>, endpoint = "live")]
pub async fn live(
    input: BoxedStream<ClientMessage, AppError>,
) -> Result<BoxedStream<ServerMessage, AppError>, AppError> {
    use futures::StreamExt;
    // Context is gone once the stream runs: everything is taken from it here.
    let ports = crate::ports::ports()?;
    let input: std::pin::Pin<Box<dyn futures::Stream<Item = Result<ClientMessage, AppError>> + Send>> = input.into();
    let input = input.filter_map(|message| async { message.ok() });
    Ok(ports.live.connect(ports.viewer, Box::pin(input)).map(Ok).into())
}
