//! `make bench`: every figure beside a reference of the same run.
//!
//! Read it in this order: [`row`] says what a line of the table is, [`rows`] what is measured, [`subject`] what is measured and how it is started,
//! [`drive`] how requests are sent and timed, [`report`] how it is told.

mod browser;
mod client;
mod context;
mod cores;
mod data;
mod drive;
mod events;
mod machine;
mod report;
mod row;
mod rows;
mod run;
mod subject;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use crate::context::Context;

#[derive(Clone, Debug, Parser)]
#[command(
    name = "bench",
    about = "Measures Dash beside others, and prints a table. `make bench` builds what it needs."
)]
struct Options {
    /// Only these, with commas between; `--list` lists them.
    #[arg(long, value_delimiter = ',')]
    row: Vec<String>,
    /// Interleaved runs of each figure.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    runs: u8,
    /// How long each load is applied in one run.
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// How long the sustained load is applied.
    #[arg(long, default_value = "60", value_parser = seconds)]
    sustained: Duration,
    /// Events a second that a dashboard is looked at under: half of what is sustained.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    load: u32,
    /// 100 million rows where it is 20 million otherwise; takes longer than half an hour.
    #[arg(long)]
    full: bool,
    /// The server, built for release; `server` beside this program when absent.
    #[arg(long)]
    server: Option<PathBuf>,
    /// The site, built for release.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Where data of the run lies: on a disk.
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
    /// Writes the table as Markdown as well, figures as ratios.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Names the rows, and measures nothing.
    #[arg(long)]
    list: bool,
    /// Is a reference of `fanout` at this address, and measures nothing.
    #[arg(long, hide = true)]
    broadcast: Option<std::net::SocketAddr>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    (0.1..=3_600.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
        .ok_or_else(|| "allowed are 0.1 to 3600 seconds".to_owned())
}

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("warn"))
        .with_writer(std::io::stderr)
        .init();
    match measure(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            context::progress(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every row could be measured.
fn measure(options: &Options) -> anyhow::Result<bool> {
    if options.list {
        report::list();
        return Ok(true);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(address) = options.broadcast {
        runtime.block_on(rows::broadcast(address))?;
        return Ok(true);
    }
    let chosen = rows::choose(&options.row)?;
    let senders = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("bench-send")
        .on_thread_start(|| {
            if cores::apart() {
                // Without it the figures are noisier, not wrong.
                let _ = cores::keep(None, &[cores::LOAD]);
            }
        })
        .enable_all()
        .build()?;
    let context = context(options, senders.handle().clone())?;
    let measured = runtime.block_on(run::all(&context, &chosen));
    let published = report::publish(&context, &measured, options.markdown.as_deref());
    runtime.shutdown_background();
    senders.shutdown_background();
    published?;
    Ok(measured.failed.is_empty())
}

fn context(options: &Options, senders: tokio::runtime::Handle) -> anyhow::Result<Context> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root
        .canonicalize()
        .context("the checkout that this was built from is gone")?;
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("server"));
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let dir = absolute(options.dir.clone());
    std::fs::create_dir_all(&dir).with_context(|| format!("--dir {} cannot be made", dir.display()))?;
    Ok(Context {
        runs: options.runs.into(),
        seconds: options.seconds,
        sustained: options.sustained,
        server: absolute(options.server.clone().or_else(beside).unwrap_or_default()),
        site: absolute(
            options
                .site
                .clone()
                .unwrap_or_else(|| root.join("target/release-bundle/site")),
        ),
        dir,
        root,
        load: options.load,
        full: options.full,
        senders,
    })
}
