//! What `ingest` and `single` share: the same events to Dash and to others, each fresh, alone, and on one core.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use dash_model::pipeline::CreatedPipeline;

use crate::{
    client,
    context::Context,
    cores,
    drive::Load,
    events::{self, Bodies, Form, METRICS, Requests},
    row::{Reference, Row},
    subject::{Dash, Place, Rival, Running},
};

/// Before anything is measured: code is read from disk, series are made, connections are open.
pub const WARMUP: Duration = Duration::from_secs(1);

/// The same events in both forms.
pub struct Both {
    pub json: Bodies,
    pub lines: Bodies,
}

impl Both {
    pub fn batches(count: u64) -> Self {
        Self {
            json: Bodies::batches(Form::Json, count),
            lines: Bodies::batches(Form::Lines, count),
        }
    }

    pub fn singles(steps: u64) -> Self {
        Self {
            json: Bodies::singles(Form::Json, steps),
            lines: Bodies::singles(Form::Lines, steps),
        }
    }
}

/// A fresh Dash with one pipeline: the server on [`cores::SUBJECT`], its PostgreSQL beside the load.
pub struct Own {
    pub dash: Dash,
    pub pipeline: CreatedPipeline,
    requests: Arc<Requests>,
}

impl Own {
    pub async fn start(ctx: &Context, bodies: &Bodies) -> anyhow::Result<Self> {
        let (server, database) = (Place::Core(cores::SUBJECT), Place::Core(cores::LOAD));
        Self::on(ctx, bodies, server, database).await
    }

    pub async fn on(ctx: &Context, bodies: &Bodies, server: Place, database: Place) -> anyhow::Result<Self> {
        let dash = Dash::start(ctx, server, database, &[]).await.context("Dash")?;
        let pipeline = dash.pipeline(&events::definition("readings"))?;
        let path = format!("/api/v1/ingest/{}", pipeline.slug);
        let kind = match bodies.events {
            1 => "application/json",
            _ => "application/x-ndjson",
        };
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: {kind}\r\n",
            pipeline.ingest_key
        );
        let requests = bodies.requests(|body| client::post(dash.address, &path, &headers, body));
        Ok(Self {
            dash,
            pipeline,
            requests: Arc::new(requests),
        })
    }

    pub fn load(&self, connections: usize) -> Arc<Load> {
        Arc::new(Load {
            address: self.dash.address,
            connections,
            requests: Arc::clone(&self.requests),
            status: 202,
        })
    }

    /// Waits until everything is in Bronze and Silver, and counts it.
    pub async fn settle(&self, acknowledged: u64) -> anyhow::Result<()> {
        self.dash.drained(&self.pipeline, acknowledged).await?;
        self.dash
            .check(&self.pipeline, acknowledged, METRICS.len() as u64)
            .await?;
        Ok(())
    }
}

/// A fresh competitor on [`cores::SUBJECT`].
pub struct Other {
    pub running: Running,
    requests: Arc<Requests>,
}

impl Other {
    pub async fn start(ctx: &Context, rival: Rival, bodies: &Bodies) -> anyhow::Result<Self> {
        let running = rival
            .start(ctx, Place::Core(cores::SUBJECT))
            .await
            .with_context(|| rival.label())?;
        let path = rival.path();
        let headers = "content-type: text/plain\r\n";
        let requests = bodies.requests(|body| client::post(running.address, &path, headers, body));
        Ok(Self {
            running,
            requests: Arc::new(requests),
        })
    }

    pub fn load(&self, connections: usize) -> Arc<Load> {
        Arc::new(Load {
            address: self.running.address,
            connections,
            requests: Arc::clone(&self.requests),
            status: 204,
        })
    }

    /// Every field of every event must be found.
    pub async fn settle(&self, acknowledged: u64) -> anyhow::Result<()> {
        for field in METRICS {
            self.running.check(field, acknowledged).await?;
        }
        Ok(())
    }
}

/// Those that are installed.
pub fn rivals() -> Vec<Rival> {
    Rival::ALL.into_iter().filter(|r| r.installed()).collect()
}

/// `row` beside the runs of a competitor; there are none when it is not installed, and the row says so.
pub fn beside(row: Row, rival: Rival, runs: Vec<f64>) -> Row {
    let words = match runs.is_empty() {
        true => "not installed",
        false => "line protocol",
    };
    let reference = Reference {
        what: format!("{}, {words}", rival.label()),
        durability: rival.durability(),
        runs,
    };
    Row {
        reference: Some(reference),
        ..row
    }
}

/// What a comparison with servers does not contain.
pub fn left_out(both: &Both) -> Vec<String> {
    vec![
        format!(
            "the others get what Dash's mapping takes of an event, 2 fields, 2 tags and the time, {:.0} bytes; Dash gets and keeps all {:.0} bytes, and Silver on top",
            both.lines.event_bytes(),
            both.json.event_bytes()
        ),
        "PostgreSQL's processor time is not in figures per core: it runs beside the load; the others have no process beside theirs".into(),
        "no TLS, no network: all on the loopback".into(),
    ]
}

/// How it was measured.
pub fn notes() -> Vec<String> {
    let place = match cores::apart() {
        true => format!(
            "each server is started anew for each run and has core {} for itself; senders, and Dash's PostgreSQL (fsync on), have core {}",
            cores::SUBJECT,
            cores::LOAD
        ),
        false => "there is one core: servers, senders and PostgreSQL share it".into(),
    };
    vec![
        place,
        "defaults of all, but for Dash's objects of the lake, which are written at an age of 1 s instead of 60 s, and InfluxDB's log of requests, which is off".into(),
        "InfluxDB fsyncs its WAL before it answers (wal-fsync-delay 0); VictoriaMetrics has no WAL and answers from memory".into(),
        "counted afterwards: what was acknowledged is in Bronze and in Silver, and in the others as often for each field".into(),
    ]
}
