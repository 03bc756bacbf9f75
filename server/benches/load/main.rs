//! `make bench`: the whole server in this process under load, beside bare references of the same run.
//!
//! Read it in this order: [`rows`] says what is measured, [`drive`] how requests are sent and timed, [`rig`] what they are sent to,
//! [`reference`](mod@reference) what the figures are compared with, [`table`] how they are told.
//!
//! Server and senders share the machine, and so does PostgreSQL, which here does not fsync: the head of the table says so. Everything that is
//! acknowledged is counted and compared with what the server's own figures say afterwards; a difference is a failure.

mod client;
mod cpu;
mod drive;
mod events;
mod machine;
mod reference;
mod rig;
mod rows;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

/// As the server's own: rendering a page nests deeply.
const STACK: usize = 16 << 20;

#[derive(Clone, Debug, Parser)]
#[command(name = "load", about = "Measures a server in this process")]
struct Options {
    /// Only these, with commas between.
    #[arg(long, value_enum, value_delimiter = ',')]
    row: Vec<rows::Name>,
    /// How long each load is applied.
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// How long it is applied before that, without being measured.
    #[arg(long, default_value = "2", value_parser = seconds)]
    warmup: Duration,
    /// Senders of ingest-batches.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// Events of one request of ingest-batches.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    batch: u32,
    /// Requests a second of open-loop.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Where spool and lake lie while it runs; the directory for temporary files when absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What `cargo bench` hands to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
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
        // Housekeeping goes on until the very end, when the database is closed already, and says so.
        .with_env_filter(tracing_subscriber::EnvFilter::new("warn,server::housekeeping=error"))
        .with_writer(std::io::stderr)
        .init();
    match measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> anyhow::Result<()> {
    // The senders have a thread of their own, so that what they cost can be told from what the server costs.
    let senders = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(cpu::SENDER)
        .enable_all()
        .build()?;
    let server = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()?;
    server.block_on(Box::pin(rows::run(options, senders.handle().clone())))
}
