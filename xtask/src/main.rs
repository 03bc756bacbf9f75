//! Builds what the browser loads: `cargo run -p xtask -- site [--release]`.
//!
//! wasm-bindgen is linked as a library, so its version is always that of Cargo.lock and nobody has to install a command.

mod shed;
mod site;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Build steps that cargo alone cannot do")]
struct Arguments {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Bundle wasm, styles, charts and public files into one directory.
    Site {
        /// Optimise for size and compress.
        #[arg(long)]
        release: bool,
        /// Where to.
        #[arg(long, default_value = "target/site")]
        out: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().step {
        Step::Site { release, out } => site::build(release, &out),
    }
}
