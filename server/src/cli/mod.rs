//! The command line. Each command is a function; this file only names them.

mod audit;
mod config;
pub mod database;
mod keys;
mod organizations;
mod people;
mod pipelines;
mod reconcile;
mod secrets;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::config::Config;

/// Of a worker thread, in bytes. A page is one deep tree of views; unoptimised, rendering it takes more than the usual 2 MiB. Memory
/// that is not touched costs nothing.
const STACK: usize = 16 << 20;

/// Real-time data pipelines and dashboards.
#[derive(Parser)]
#[command(name = "server", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages and API until interrupted.
    Serve,
    /// Bring the database up to date and stop.
    Migrate,
    /// Print every variable, its value and where it came from.
    Config {
        /// Print a file to set them in instead.
        #[arg(long)]
        sample: bool,
    },
    /// Make and look at pipelines.
    Pipelines {
        #[command(subcommand)]
        command: Pipelines,
    },
    /// People who cannot get in.
    People {
        #[command(subcommand)]
        command: People,
    },
    /// Organizations and what they may have.
    Organizations {
        #[command(subcommand)]
        command: Organizations,
    },
    /// API keys of services.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Who did what.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// What is encrypted in the database.
    Secrets {
        #[command(subcommand)]
        command: Secrets,
    },
    /// Post 200,000 flights to the running server.
    DemoFlights,
    /// Hold ledger, lake and metrics against each other. Ends with 0 when all agree, 1 when something differs, 2 when it could not be checked.
    Reconcile(reconcile::Arguments),
}

#[derive(Subcommand)]
enum Pipelines {
    /// Make a pipeline of a definition; prints its id and ingest key as JSON, the only time that the key is shown.
    Create {
        /// JSON: name, source, mapping. `-` is standard input.
        #[arg(long)]
        file: PathBuf,
        /// Slug of the organization; the first one when absent.
        #[arg(long)]
        organization: Option<String>,
    },
    /// All pipelines, as JSON.
    List,
    /// The definition of a pipeline, as JSON.
    Show {
        /// Slug or id.
        pipeline: String,
    },
}

#[derive(Subcommand)]
enum People {
    /// Print a link that signs somebody in once, as JSON: where letters do not reach them.
    Link {
        #[arg(long)]
        email: String,
    },
}

#[derive(Subcommand)]
enum Organizations {
    /// All, as JSON.
    List,
    /// Give one limits of its own; those that are not named are the server's again.
    Limits(organizations::SetLimits),
}

#[derive(Subcommand)]
enum Keys {
    /// Make a key; prints it as JSON, the only time that it is shown.
    Create(keys::Create),
    /// All keys that are not revoked, as JSON.
    List,
    /// End a key.
    Revoke {
        /// Its id, or dash_ and the part that is no secret.
        key: String,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// Check that no entry of the log was changed or taken out; prints the number of entries and the hash of the last for each organization,
    /// as JSON. Note them elsewhere: a log that was cut at its end still holds. Ends with 1 when one does not hold.
    Verify,
}

#[derive(Subcommand)]
enum Secrets {
    /// Encrypt everything with DASH_SECRET_KEY that is encrypted with one of DASH_SECRET_KEYS_OLD; prints how many values, as JSON. Run it when
    /// every node knows the new key; then the old ones can go.
    Rotate,
}

impl Arguments {
    /// How the process ends when [`execute`](Self::execute) fails.
    pub fn failure(&self) -> ExitCode {
        match self.command {
            // 1 is an answer.
            Command::Reconcile(_) => ExitCode::from(reconcile::UNCHECKED),
            _ => ExitCode::FAILURE,
        }
    }

    /// Does what was asked, and says how the process ends.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if let Command::Config { sample: true } = self.command {
            return print(&crate::config::sample()).map(|()| ExitCode::SUCCESS);
        }
        let config = Config::from_process()?;
        if let Command::Config { .. } = self.command {
            return config::print(&config).map(|()| ExitCode::SUCCESS);
        }
        init_log(&config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_stack_size(STACK)
            .build()?;
        runtime.block_on(async {
            let done = match self.command {
                Command::Reconcile(arguments) => return reconcile::run(&config, &arguments).await,
                Command::Audit { command: Audit::Verify } => return audit::verify(&config).await,
                // Boxed: it is far larger than the others.
                Command::Serve => Box::pin(crate::run::serve(config)).await,
                Command::Migrate => database::migrate(&config).await,
                Command::Config { .. } => Ok(()),
                Command::Secrets {
                    command: Secrets::Rotate,
                } => secrets::rotate(&config).await,
                Command::People {
                    command: People::Link { email },
                } => people::link(&config, &email).await,
                Command::Organizations { command } => match command {
                    Organizations::List => organizations::list(&config).await,
                    Organizations::Limits(arguments) => organizations::limits(&config, &arguments).await,
                },
                Command::Keys { command } => match command {
                    Keys::Create(arguments) => keys::create(&config, &arguments).await,
                    Keys::List => keys::list(&config).await,
                    Keys::Revoke { key } => keys::revoke(&config, &key).await,
                },
                Command::DemoFlights => crate::demo::post_flights(&config).await,
                Command::Pipelines { command } => match command {
                    Pipelines::Create { file, organization } => {
                        pipelines::create(&config, &file, organization.as_deref()).await
                    }
                    Pipelines::List => pipelines::list(&config).await,
                    Pipelines::Show { pipeline } => pipelines::show(&config, &pipeline).await,
                },
            };
            done.map(|()| ExitCode::SUCCESS)
        })
    }
}

fn init_log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(&config.process.log);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// To standard output: the answer of a command, for people and for scripts.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{}", text.trim_end())?)
}
