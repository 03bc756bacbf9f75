//! `server serve | migrate | config | pipelines | reconcile | demo-flights`

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = server::cli::Arguments::parse();
    let failure = arguments.failure();
    match arguments.execute() {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write;
            // One line, whatever the depth: the causes follow their effects.
            let _ = writeln!(std::io::stderr(), "dash: {error:#}");
            failure
        }
    }
}
