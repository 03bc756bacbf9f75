//! `crash --server PATH`: see the crate's documentation.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use dash_crash::{
    report::say,
    run::{Options, run},
};

/// Breaks a running Dash in many ways, and checks that nothing it acknowledged is lost or counted twice.
#[derive(Parser)]
#[command(name = "crash")]
struct Arguments {
    /// The server's binary.
    #[arg(long)]
    server: PathBuf,
    /// How many times it is killed: 20, or 5 in the short run.
    #[arg(long)]
    kills: Option<usize>,
    /// What order, times and sizes follow from; drawn when not given, printed in any case.
    #[arg(long)]
    seed: Option<u64>,
    /// Five kills and shorter outages.
    #[arg(long)]
    short: bool,
    /// Keep the directory, also when nothing was found.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        server: arguments.server,
        kills: arguments.kills.unwrap_or(if arguments.short { 5 } else { 20 }),
        seed: arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
        short: arguments.short,
        keep: arguments.keep,
    };
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("crash: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
