//! `server serve | migrate | config | pipelines | demo-flights`

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match server::cli::Arguments::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            // One line, whatever the depth: the causes follow their effects.
            let _ = writeln!(std::io::stderr(), "dash: {error:#}");
            ExitCode::FAILURE
        }
    }
}
