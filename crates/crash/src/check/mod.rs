//! Gathers what is there: objects from the store's own directory, rows by SQL, figures from the API. None of it goes through the code
//! that wrote it.

mod bronze;
mod rollups;
mod silver;
mod sums;

use std::path::Path;

use tokio_postgres::Client;

pub use rollups::{at_rest, rollups};
pub use sums::{Stats, sums};

use crate::{
    audit::{self, Findings, Seen},
    book::Book,
};

/// Everything behind the watermark of `seen`: Bronze against the book, Silver and quarantine against Bronze. `store` is the directory
/// that the lake's keys are relative to. Two connections, because one has one stream of rows at a time.
///
/// # Errors
/// When something cannot be read; what differs is no error.
pub async fn events(
    [client, other]: &[Client; 2],
    store: &Path,
    book: &Book,
    seen: &mut Seen,
) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let objects = bronze::objects(client, store, &mut found).await?;
    let newer: Vec<_> = objects.into_iter().filter(|o| o.last_event > seen.watermark).collect();
    let rows = bronze::rows(store, newer);
    let series = silver::series(client, &mut found).await?;
    let points = silver::points(client, seen.watermark, series).await?;
    let held = silver::held(other, seen.watermark).await?;
    found.merge(audit::audit(book, seen, rows, points, held).await?);
    Ok(found)
}
