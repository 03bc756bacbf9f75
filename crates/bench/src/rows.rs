//! The rows, one file each. A row is an async function from [`Context`] to lines of the table.

mod bronze;
mod fanout;
mod first_load;
mod freshness;
mod ingest;
mod parquet;
mod query;
mod replay;
mod servers;
mod silver_load;
mod silver_size;
mod single;
mod sustained;
mod transform;

use std::{future::Future, pin::Pin};

pub use fanout::broadcast;

use crate::{context::Context, row::Row};

/// A row that `ROW=` can name.
pub struct Named {
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    pub run: fn(&Context) -> Measuring<'_>,
}

/// What a row is while it is measured.
pub type Measuring<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Row>>> + 'a>>;

/// In the order of the table.
pub const ALL: &[Named] = &[
    Named {
        name: "ingest",
        about: "batches of JSON events, beside InfluxDB and VictoriaMetrics",
        run: |ctx| Box::pin(ingest::rows(ctx)),
    },
    Named {
        name: "single",
        about: "one event a request, and how long its answer takes, beside the same",
        run: |ctx| Box::pin(single::rows(ctx)),
    },
    Named {
        name: "sustained",
        about: "the rate at which Bronze, Silver and a live chart keep up",
        run: |ctx| Box::pin(sustained::rows(ctx)),
    },
    Named {
        name: "parquet",
        about: "JSON to Parquet on one core, beside duckdb and chdb",
        run: |ctx| Box::pin(parquet::rows(ctx)),
    },
    Named {
        name: "bronze",
        about: "bytes of Bronze beside zstd",
        run: |ctx| Box::pin(bronze::rows(ctx)),
    },
    Named {
        name: "silver-load",
        about: "points into Silver beside psql \\copy",
        run: |ctx| Box::pin(silver_load::rows(ctx)),
    },
    Named {
        name: "silver-size",
        about: "what compression saves in Silver",
        run: |ctx| Box::pin(silver_size::rows(ctx)),
    },
    Named {
        name: "transform",
        about: "a mapping as a plan beside record by record, in Rust and Elixir",
        run: |ctx| Box::pin(transform::rows(ctx)),
    },
    Named {
        name: "replay",
        about: "Bronze through a mapping again",
        run: |ctx| Box::pin(replay::rows(ctx)),
    },
    Named {
        name: "query",
        about: "a dashboard's questions over 20 million points, warm and cold",
        run: |ctx| Box::pin(query::rows(ctx)),
    },
    Named {
        name: "freshness",
        about: "from send() to the painted frame in Chromium, idle and at half load",
        run: |ctx| Box::pin(freshness::rows(ctx)),
    },
    Named {
        name: "fanout",
        about: "messages to 1,000 and 10,000 viewers, and memory of an idle one",
        run: |ctx| Box::pin(fanout::rows(ctx)),
    },
    Named {
        name: "first-load",
        about: "bytes of a first visit, largest paint and clicks on a slow processor",
        run: |ctx| Box::pin(first_load::rows(ctx)),
    },
];

/// Those that are asked for, in the order of the table; all when none is named.
pub fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Named>> {
    let known = || ALL.iter().map(|r| r.name).collect::<Vec<_>>().join(", ");
    for name in names {
        anyhow::ensure!(
            ALL.iter().any(|row| row.name == name),
            "--row {name}: there is no such row; there are {}",
            known()
        );
    }
    Ok(ALL
        .iter()
        .filter(|row| names.is_empty() || names.iter().any(|n| n == row.name))
        .collect())
}
