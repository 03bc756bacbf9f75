//! `server reconcile`

use std::{fmt::Write, process::ExitCode};

use anyhow::{Context, bail};
use app::{
    books::{statement, verdict, verdict_of_pipeline},
    components::format::utc,
};
use dash_db::store;
use dash_metrics::{BooksOptions, Silver, SilverOptions};
use dash_model::{
    DEFAULT_ORGANIZATION,
    pipeline::Pipeline,
    reconcile::{CheckOutcome, ReconciledPipeline, Reconciliation, Verdict},
};

use super::database;
use crate::{
    config::Config,
    reconcile::{floor, reconcile},
};

/// Something could not be checked. 1 says that something differs.
pub const UNCHECKED: u8 = 2;

#[derive(clap::Args)]
pub struct Arguments {
    /// Slug or id of a pipeline; may be repeated. All of them when left out.
    #[arg(long = "pipeline", value_name = "PIPELINE")]
    pipelines: Vec<String>,
    /// Also read every point, every bucket and every object.
    #[arg(long)]
    deep: bool,
    /// For machines.
    #[arg(long)]
    json: bool,
}

/// Prints what agrees and what differs.
pub async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before the database is read, also by the start of one: what the spool lets go of later is not spoken of.
    let dir = &config.spool.dir;
    let floor = floor::of_directory(dir, config.process.node)
        .with_context(|| format!("DASH_SPOOL: {} cannot be listed", dir.display()))?;
    let opened = database::open(config).await?;
    let checked = check(config, &opened.db, arguments, floor.into_iter().collect()).await;
    opened.close().await?;
    let checked = checked?;
    super::print(&match arguments.json {
        true => serde_json::to_string_pretty(&checked)?,
        false => words(&checked),
    })?;
    Ok(match checked.verdict {
        Verdict::Agrees => ExitCode::SUCCESS,
        Verdict::Differs => ExitCode::FAILURE,
        Verdict::Unchecked => ExitCode::from(UNCHECKED),
    })
}

async fn check(
    config: &Config,
    db: &dash_db::Db,
    arguments: &Arguments,
    floors: Vec<dash_metrics::Floor>,
) -> anyhow::Result<Reconciliation> {
    let pipelines = pipelines(db, &arguments.pipelines).await?;
    let silver = Silver::new(db.clone(), SilverOptions::default()).await?;
    let lake = dash_lake::open(&config.lake.location, &config.lake.s3)?;
    let options = BooksOptions {
        deep: arguments.deep,
        timeout: None,
        floors,
    };
    Ok(reconcile(&silver, &lake, &pipelines, &options).await?)
}

async fn pipelines(db: &dash_db::Db, named: &[String]) -> anyhow::Result<Vec<Pipeline>> {
    let mut connection = db.diesel().await?;
    if named.is_empty() {
        return Ok(store::pipelines::list(&mut connection, DEFAULT_ORGANIZATION).await?);
    }
    let mut found: Vec<Pipeline> = Vec::new();
    for name in named {
        match store::pipelines::get(&mut connection, DEFAULT_ORGANIZATION, name).await? {
            Some(pipeline) if found.iter().any(|p| p.id == pipeline.id) => {}
            Some(pipeline) => found.push(pipeline),
            None => bail!("--pipeline: there is none named {name:?}; `server pipelines list` lists them"),
        }
    }
    Ok(found)
}

/// For people: a line for each check, and what differs below it.
fn words(checked: &Reconciliation) -> String {
    let mut out = String::new();
    for pipeline in &checked.pipelines {
        // Writing to a String cannot fail.
        let _ = of_pipeline(&mut out, pipeline);
    }
    let depth = if checked.deep {
        "every row read"
    } else {
        "--deep reads every row"
    };
    let _ = write!(
        out,
        "{} Checked at {} in {} ms ({} ms of the database; {depth}).",
        verdict(checked),
        utc(checked.checked_at.millis()),
        checked.took_ms,
        checked.database_ms
    );
    out
}

fn of_pipeline(out: &mut String, pipeline: &ReconciledPipeline) -> std::fmt::Result {
    writeln!(
        out,
        "{} ({}): {}",
        pipeline.name,
        pipeline.slug,
        verdict_of_pipeline(pipeline)
    )?;
    for check in &pipeline.checks {
        let mark = match &check.outcome {
            CheckOutcome::Agrees => "ok",
            CheckOutcome::Differs { .. } => "DIFFERS",
            CheckOutcome::Unchecked { .. } => "UNKNOWN",
            CheckOutcome::DeepOnly => "-",
        };
        let said = statement(check, &pipeline.figures);
        writeln!(out, "  {mark:7}  {:15}  {said}", check.about.name())?;
        match &check.outcome {
            CheckOutcome::Differs { differences, more } => {
                for d in differences {
                    writeln!(out, "           {}", d.what)?;
                    writeln!(out, "             expected  {}", d.expected)?;
                    writeln!(out, "             found     {}", d.found)?;
                    writeln!(out, "             remedy    {}", d.remedy)?;
                }
                if *more > 0 {
                    writeln!(out, "           and {more} more")?;
                }
            }
            CheckOutcome::Unchecked { reason } => writeln!(out, "           could not be checked: {reason}")?,
            CheckOutcome::Agrees | CheckOutcome::DeepOnly => {}
        }
    }
    for note in &pipeline.notes {
        writeln!(out, "  note     {note}")?;
    }
    writeln!(out)
}
