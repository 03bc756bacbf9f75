//! The two servers that viewers are connected to.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use dash_model::{
    live::Topic,
    query::{Aggregation, MetricQuery, QuerySpec, Shape, TimeRange},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{
    client::{self, Connection},
    context::Context,
    cores,
    subject::{Dash, Place, Process, free_address},
};

const PIPELINE: &str = "fanout";

/// A server, and what makes it tell its viewers something.
pub struct End {
    server: Server,
    address: SocketAddr,
    connection: Mutex<Connection>,
    /// The request of a change.
    change: Vec<u8>,
}

enum Server {
    Dash(Box<Dash>),
    Bare {
        process: Process,
        // Dropped after the process has ended.
        _log: TempDir,
    },
}

impl End {
    /// A server of Dash's on a core of its own, its database beside the viewers.
    pub async fn dash(ctx: &Context) -> anyhow::Result<Self> {
        let database = Place::Core(cores::LOAD);
        let dash = Dash::start(ctx, Place::Core(cores::SUBJECT), database, &[]).await?;
        let definition = json!({
            "name": PIPELINE,
            "slug": PIPELINE,
            "mapping": {"metrics": [{"name": "value", "path": "value", "required": true}]},
        });
        let made = dash.pipeline(&definition)?;
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
            made.ingest_key
        );
        let path = format!("/api/v1/ingest/{PIPELINE}");
        let change = client::post(dash.address, &path, &headers, br#"{"value":21.5}"#);
        let address = dash.address;
        Self::new(Server::Dash(Box::new(dash)), address, change).await
    }

    /// The bare server on the same core; a change makes it send this message.
    pub async fn bare(ctx: &Context, message: &Bytes) -> anyhow::Result<Self> {
        let (process, address, log) = bare(ctx, Place::Core(cores::SUBJECT)).await?;
        let change = client::post(address, "/send", "", message);
        Self::new(Server::Bare { process, _log: log }, address, change).await
    }

    async fn new(server: Server, address: SocketAddr, change: Vec<u8>) -> anyhow::Result<Self> {
        Ok(Self {
            server,
            address,
            connection: Mutex::new(Connection::open(address).await?),
            change,
        })
    }

    /// A key that reads; of the bare server none.
    pub fn reader(&self) -> anyhow::Result<String> {
        match &self.server {
            Server::Dash(dash) => Ok(dash.reader()?.to_owned()),
            Server::Bare { .. } => Ok(String::new()),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Something for viewers to see.
    pub async fn change(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.lock().await;
        let answer = connection.send(&self.change).await?;
        ensure!(
            answer.status == 202,
            "a change was answered {}: {}",
            answer.status,
            answer.text()
        );
        Ok(())
    }

    /// Processor time of the process itself.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        Ok(self.process().cpu()?.own)
    }

    /// Its resident bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        self.process().memory()
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        match self.server {
            Server::Dash(dash) => dash.stop().await,
            Server::Bare { process, .. } => process.stop().await,
        }
    }

    fn process(&self) -> &Process {
        match &self.server {
            Server::Dash(dash) => dash.process(),
            Server::Bare { process, .. } => process,
        }
    }
}

/// This program again, as `bench --broadcast`: the process, its address, and the directory of its log.
pub async fn bare(ctx: &Context, place: Place) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    let log = ctx.scratch("broadcast")?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command.arg("--broadcast").arg(address.to_string());
    let mut process = Process::start("the bare server", command, place, &log.path().join("log"))?;
    process.answers(address, "/healthz").await?;
    Ok((process, address, log))
}

/// What all viewers follow: a line chart's question.
pub fn topic() -> Topic {
    Topic::Query(QuerySpec {
        query: MetricQuery {
            pipeline: PIPELINE.into(),
            metric: "value".into(),
            agg: Aggregation::Avg,
            by: Vec::new(),
            only: Vec::new(),
        },
        range: TimeRange::Last { seconds: 900 },
        shape: Shape::Series { width: 800 },
    })
}
