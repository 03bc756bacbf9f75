//! The least server that sends the same bytes to many sockets, in a process of its own: `bench --broadcast`.
//!
//! The same HTTP and websocket libraries as Dash's, one task a socket, and one message that all of them share. Its page writes down what
//! comes over its socket, and nothing else.

use std::net::SocketAddr;

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{Html, IntoResponse},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::broadcast};

/// Messages that a slow socket may lag behind.
const QUEUE: usize = 64;

/// Says that it listens as Dash's pages do, and shows the number where a dashboard has its highest value.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Bare</title><main data-widget="highest"><p class="figure">0</p></main><script>
const socket = new WebSocket(`ws://${location.host}/live`);
socket.onopen = () => document.documentElement.setAttribute("data-hydrated", "");
socket.onmessage = async ({ data }) => { document.querySelector(".figure").textContent = await data.text(); };
</script>"#;

/// Serves until the process ends. `GET /live` is a socket, `POST /send` sends its body to all of them, `GET /` is a page with a socket.
pub async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on"))?;
    let messages = broadcast::Sender::<Bytes>::new(QUEUE);
    let router = Router::new()
        .route("/healthz", get(async || StatusCode::NO_CONTENT))
        .route("/", get(async || Html(PAGE)))
        .route("/live", get(open))
        .route("/send", post(send))
        .with_state(messages);
    Ok(axum::serve(listener, router).await?)
}

async fn open(State(messages): State<broadcast::Sender<Bytes>>, upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let messages = messages.subscribe();
    upgrade.on_upgrade(|socket| relay(socket, messages))
}

async fn send(State(messages): State<broadcast::Sender<Bytes>>, message: Bytes) -> StatusCode {
    match messages.send(message) {
        Ok(_) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::CONFLICT,
    }
}

async fn relay(mut socket: WebSocket, mut messages: broadcast::Receiver<Bytes>) {
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => {
                    if socket.send(Message::Binary(message)).await.is_err() {
                        return;
                    }
                }
                // What was missed is missed: the driver sees it in its count.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            heard = socket.recv() => {
                if !matches!(heard, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}
