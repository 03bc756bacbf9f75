//! What is measured, row by row.

mod alone;
mod ingest;
mod query;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::ValueEnum;
use dash_model::pipeline::CreatedPipeline;
use tokio::runtime::Handle;

use crate::{Options, drive::Load, machine::Machine, rig::Rig, table};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    IngestBatches,
    IngestSingle,
    OpenLoop,
    Decode,
    Transform,
    Query,
}

/// What every row works with.
struct Bench {
    options: Options,
    senders: Handle,
    rig: Rig,
}

/// All rows that are asked for, and the table. A row that fails does not keep the others from being told.
pub async fn run(options: Options, senders: Handle) -> anyhow::Result<()> {
    let mut names = options.row.clone();
    if names.is_empty() {
        names = Name::value_variants().to_vec();
    }
    let rig = Rig::start(options.dir.as_deref())
        .await
        .context("the server does not start")?;
    let machine = Machine::of(&rig).await?;
    let bench = Bench { options, senders, rig };
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for name in names {
        let label = name
            .to_possible_value()
            .map_or_else(String::new, |v| v.get_name().to_owned());
        #[allow(clippy::print_stderr, reason = "progress of what takes a while")]
        {
            eprintln!("measuring {label}");
        }
        match Box::pin(bench.row(name)).await {
            Ok(more) => rows.extend(more),
            Err(error) => failed.push(format!("{label}: {error:#}")),
        }
    }
    bench.rig.stop().await;
    table::publish(&machine, &rows)?;
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

impl Bench {
    async fn row(&self, name: Name) -> anyhow::Result<Vec<table::Row>> {
        match name {
            Name::IngestBatches => self.ingest_batches().await,
            Name::IngestSingle => self.ingest_single().await,
            Name::OpenLoop => self.open_loop().await,
            Name::Decode => alone::decode(&self.options).await,
            Name::Transform => alone::transform(&self.options).await,
            Name::Query => self.query().await,
        }
    }

    /// References need no longer than this to be steady.
    fn briefly(&self) -> Duration {
        self.options.seconds.min(Duration::from_secs(2))
    }

    /// Each body as a request to this pipeline.
    fn load(&self, pipeline: &CreatedPipeline, content_type: &str, bodies: &[String], connections: usize) -> Arc<Load> {
        let target = self.rig.target(pipeline);
        let path = format!("/api/v1/ingest/{}", pipeline.slug);
        let post = |body: &String| target.post(&path, content_type, body.as_bytes());
        self.requests(bodies.iter().map(post).collect(), connections, 202)
    }

    fn requests(&self, requests: Vec<Bytes>, connections: usize, status: u16) -> Arc<Load> {
        Arc::new(Load {
            address: self.rig.address,
            connections,
            requests,
            status,
        })
    }
}
