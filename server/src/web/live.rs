//! The live channel, at the path of the server function that pages call ([`app::api::live`]).
//!
//! The function is declared for the browser's sake: its client is generated from it. What the framework would serve it with keeps 128 KiB
//! and three tasks for each viewer, and copies every message; docs/adr/0006 says more.

use std::sync::Arc;

use app::{api::Live, ports::Viewer};
use axum::{
    body::Body,
    extract::{Extension, Request, State as Shared},
    response::{IntoResponse, Response},
};
use dash_accounts::policy::Who;
use dash_ingest::{Problem, ProblemKind};
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use leptos::server_fn::ServerFn;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::problem::ProblemResponse;
use crate::{
    access::caller::Caller,
    live::{Entrance, Hub, Socket, Watched, serve},
    state::State,
};

/// Where the browser's end of the server function connects to.
pub const PATH: &str = <Live as ServerFn>::PATH;

/// Makes a websocket of the connection, for whoever asks; what they may follow is decided topic by topic.
pub async fn open(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    mut request: Request,
) -> Response {
    let answer = match create_response_with_body(&request, Body::empty) {
        Ok(answer) => answer,
        Err(error) => {
            let detail = format!("{PATH} is a websocket: {error}");
            return ProblemResponse(Problem::new(ProblemKind::InvalidRequest, detail)).into_response();
        }
    };
    let watched = state.watch.join(entrance(&caller));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(upgraded(upgrade, state.hub.clone(), caller.viewer.clone(), watched));
    answer
}

/// By what the viewer of a request came in: a key, where there is one, goes before the session of a browser.
fn entrance(caller: &Caller) -> Option<Entrance> {
    match (caller.key, &caller.viewer.who) {
        (Some(id), Who::Key(key)) => Some(Entrance::Key(id, key.scope)),
        _ => caller.hash.map(Entrance::Session),
    }
}

/// From the handshake to the end of the socket; a task of its own, the only one that a viewer costs.
async fn upgraded(upgrade: OnUpgrade, hub: Hub, viewer: Viewer, watched: Watched) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        // Whoever asked has left meanwhile.
        Err(error) => return tracing::debug!(%error, "no live socket came of a handshake"),
    };
    match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => {
            let socket = Socket::new(parts.io.into_inner(), &parts.read_buf);
            // What was read while it still was HTTP is not kept.
            drop(parts.read_buf);
            serve(hub, socket, viewer, watched).await;
        }
        Err(_) => tracing::error!("a live socket needs a connection over TCP, without anything in between"),
    }
}
