//! `server serve`: puts the parts together, in the order in which they need each other, and takes them apart again.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use dash_db::{Db, embedded::Embedded, store};
use dash_lake::Writer;
use dash_metrics::{Silver, SilverOptions};
use dash_model::EventSeq;
use dash_spool::Spool;
use dash_vault::Vault;
use leptos::prelude::LeptosOptions;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::{Access, keys::Keys, rates::Rates},
    accounts::{self, Accounts, Quotas},
    activity::Activity,
    catalog::Catalog,
    cli,
    config::Config,
    demo,
    figures::Figures,
    files, housekeeping,
    ingest::Ingest,
    live::{Hub, Watch},
    ports::Computer,
    processor::{bronze::BronzeStage, manifest::DatabaseManifest, silver::SilverStage},
    sources,
    state::State,
    web,
};

/// How long open requests may take at the end, and then the stages with what they hold.
const PATIENCE: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(20);

/// Serves until interrupted, or until a part fails that nothing works without.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    files::allow_all();
    let address = config.address();
    // Before anything is started: whoever has the port keeps it.
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("DASH_ADDR: {address} cannot be listened on; stop what does, or choose another"))?;
    let data = &config.process.data;
    std::fs::create_dir_all(data).with_context(|| format!("DASH_DATA: {} cannot be made", data.display()))?;
    let mut opened = cli::database::open(&config).await?;
    let embedded = opened.embedded.take();
    let running = Running::start(config, opened).await;
    let served = match running {
        Ok(running) => running.until_stopped(listener, embedded.as_ref()).await,
        Err(error) => Err(error),
    };
    if let Some(embedded) = embedded {
        embedded.stop().await?;
    }
    served
}

/// Everything that runs beside the requests.
pub struct Running {
    pub state: State,
    /// Stages; each ends when the spool closes.
    stages: tokio::task::JoinSet<Result<(), crate::failure::Failure>>,
    /// Sources and housekeeping; each ends when `stop` is cancelled.
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// Opens the stores and starts the stages. Events are taken from here on.
    pub async fn start(config: Config, opened: cli::database::Opened) -> anyhow::Result<Self> {
        let db = opened.db;
        let silver = Silver::new(db.clone(), SilverOptions::default()).await?;
        let lake = dash_lake::open(&config.lake.location, &config.lake.s3)?;
        let highest = dash_db::store::ledger::max_event(&mut *db.diesel().await?, config.process.node).await?;
        let min_next = highest.map_or(EventSeq::first_of_node(config.process.node), |last| last.offset(1));
        let spool = Spool::open(config.spool.clone(), min_next)?;
        let manifest = Arc::new(DatabaseManifest(db.clone()));
        let writer = Writer::new(lake.clone(), manifest, config.lake.writer(spool.oldest())).await?;
        seal(&db, &opened.vault).await?;
        let vault = opened.vault;
        let catalog = Catalog::load(db.clone(), Arc::clone(&vault), config.accounts.quotas).await?;
        let activity = Activity::default();
        let figures = Figures {
            db: db.clone(),
            silver: silver.clone(),
            spool: spool.clone(),
            activity: activity.clone(),
        };
        let access = Access::new(db.clone(), catalog.clone());
        let keys = Keys::new(db.clone());
        let quotas = Quotas::new(db.clone(), catalog.clone(), figures.clone(), config.accounts.quotas);
        quotas.refresh().await?;
        let computer = Computer {
            access: access.clone(),
            catalog: catalog.clone(),
            silver: silver.clone(),
            figures: figures.clone(),
        };
        // Microseconds since 1970: no two lives of a server begin in the same one.
        let hub = Hub::new(crate::clock::now().0.unsigned_abs(), Arc::new(computer));
        let config = Arc::new(config);
        let ingest = Ingest::new(
            &db,
            spool.clone(),
            activity.clone(),
            config.ingest.limits,
            config.ingest.memory,
        );
        let state = State {
            accounts: Accounts::new(Arc::clone(&config))?,
            rates: Rates::new(config.accounts.rates),
            config,
            db,
            catalog: catalog.clone(),
            ingest: ingest.clone(),
            spool: spool.clone(),
            silver: silver.clone(),
            lake,
            lake_status: writer.status(),
            activity: activity.clone(),
            figures,
            hub: hub.clone(),
            vault,
            access,
            keys,
            quotas,
            watch: Watch::default(),
        };
        let silver_stage = SilverStage {
            spool: spool.clone(),
            catalog: catalog.clone(),
            silver,
            answers: ingest.answers().clone(),
            activity,
            hub,
        };
        silver_stage.recover().await?;
        let acks = ingest.lake_acks().clone();
        let bronze_stage = BronzeStage {
            spool,
            catalog,
            writer,
            acks,
        };
        let mut stages = tokio::task::JoinSet::new();
        stages.spawn(silver_stage.run());
        stages.spawn(bronze_stage.run());
        let running = Self {
            state,
            stages,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        housekeeping::start(&running.state, &running.tasks, &running.stop);
        if running.state.config.process.demo {
            demo::seed(&running.state).await?;
            let state = running.state.clone();
            running
                .tasks
                .spawn(running.stop.clone().run_until_cancelled_owned(async move {
                    if let Err(error) = demo::send_earthquakes(&state).await {
                        tracing::warn!(%error, "the earthquakes were not taken");
                    }
                }));
        }
        sources::start(&running.state, &running.tasks, &running.stop);
        Ok(running)
    }

    /// Answers requests until a signal comes or a stage ends, then takes everything apart without losing anything.
    pub async fn until_stopped(mut self, listener: TcpListener, embedded: Option<&Embedded>) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        let options = LeptosOptions::builder().output_name("dash").site_addr(address).build();
        let app = web::router(self.state.clone(), options);
        tracing::info!(database = self.state.db.target(), silver = ?self.state.silver.mode(), lake = %self.state.lake.location(), "ready");
        announce(address, accounts::set_up::link(&self.state).await?.as_deref());
        let stop = self.stop.clone();
        // A router that is given as it is makes its table of routes anew for each connection: 200 KB, for as long as that lives.
        let server = axum::serve(
            listener,
            app.into_make_service_with_connect_info::<std::net::SocketAddr>(),
        );
        let server = server.with_graceful_shutdown(stop.clone().cancelled_owned());
        let server = tokio::spawn(server.into_future());
        let result = tokio::select! {
            () = signal() => Ok(()),
            ended = self.stages.join_next() => Err(stage_failure(ended)),
            () = ended(embedded) => Err(anyhow::anyhow!("the private PostgreSQL ended; its log is in the data directory, and the spool keeps the events")),
        };
        tracing::info!("stopping");
        self.shut_down(server).await;
        result
    }

    async fn shut_down(mut self, server: tokio::task::JoinHandle<std::io::Result<()>>) {
        self.stop.cancel();
        self.state.hub.close();
        self.tasks.close();
        let _ = tokio::time::timeout(PATIENCE, self.tasks.wait()).await;
        let _ = tokio::time::timeout(PATIENCE, server).await;
        self.drain().await;
    }

    /// Closes the spool and lets the stages finish with what it holds; what they cannot finish stays in it.
    pub async fn drain(&mut self) {
        self.state.spool.close().await;
        let finish = async { while self.stages.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, finish).await.is_err() {
            tracing::warn!("some events are not in the lake or in Silver yet; the next start goes on with them");
        }
        self.state.db.close();
    }
}

/// Encrypts what an earlier version of Dash stored in clear. A change of keys is left to `server secrets rotate`: while one node has
/// only the old key, what is sealed with the new one does not open there.
async fn seal(db: &Db, vault: &Vault) -> anyhow::Result<()> {
    let sealed = store::secrets::seal_clear(&mut *db.diesel().await?, vault).await?;
    if sealed > 0 {
        tracing::info!(sealed, "encrypted the secrets that were stored in clear");
    }
    Ok(())
}

/// Until the private PostgreSQL ends on its own; never without one.
async fn ended(embedded: Option<&Embedded>) {
    match embedded {
        Some(embedded) => drop(embedded.exited().await),
        None => std::future::pending().await,
    }
}

fn stage_failure(ended: Option<Result<Result<(), crate::failure::Failure>, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Err(failure))) => anyhow::Error::new(failure).context("a stage failed; the spool keeps the events"),
        Some(Err(panic)) => anyhow::Error::new(panic).context("a stage ended early; the spool keeps the events"),
        Some(Ok(Ok(()))) | None => anyhow::anyhow!("a stage ended early; the spool keeps the events"),
    }
}

/// The one line that a newcomer waits for; while nobody has an account, a second one with the link that makes the first. It stands here
/// and nowhere else.
fn announce(address: std::net::SocketAddr, set_up: Option<&str>) {
    use std::io::Write;
    let mut out = std::io::stderr();
    let _ = writeln!(out, "\n  Dash is ready: http://{address}");
    if let Some(path) = set_up {
        let _ = writeln!(out, "  Make your account: http://{address}{path}");
    }
    let _ = writeln!(out);
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
