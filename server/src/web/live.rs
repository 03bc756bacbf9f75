//! The live channel, at the path of the server function that pages call ([`app::api::live`]).
//!
//! The function is declared for the browser's sake: its client is generated from it. What the framework would serve it with keeps 128 KiB
//! and three tasks for each viewer, and copies every message; docs/adr/0006 says more.

use app::api::Live;
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use dash_ingest::{Problem, ProblemKind};
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use leptos::server_fn::ServerFn;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::problem::ProblemResponse;
use crate::live::{Hub, Socket, serve};

/// Where the browser's end of the server function connects to.
pub const PATH: &str = <Live as ServerFn>::PATH;

/// Makes a websocket of the connection. Until there are accounts every viewer is the owner of this machine.
pub async fn open(State(hub): State<Hub>, mut request: Request) -> Response {
    let answer = match create_response_with_body(&request, Body::empty) {
        Ok(answer) => answer,
        Err(error) => {
            let detail = format!("{PATH} is a websocket: {error}");
            return ProblemResponse(Problem::new(ProblemKind::InvalidRequest, detail)).into_response();
        }
    };
    tokio::spawn(upgraded(hyper::upgrade::on(&mut request), hub));
    answer
}

/// From the handshake to the end of the socket; a task of its own, the only one that a viewer costs.
async fn upgraded(upgrade: OnUpgrade, hub: Hub) {
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
            serve(hub, socket).await;
        }
        Err(_) => tracing::error!("a live socket needs a connection over TCP, without anything in between"),
    }
}
