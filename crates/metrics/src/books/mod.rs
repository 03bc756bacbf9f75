//! The books of pipelines, for a reconciliation: what ledger, totals, quarantine, manifest, rollups and points say at one moment.
//!
//! Everything is read in one snapshot, the manifest too, because that alone makes statements about two of them exact while
//! events are on their way. Nothing is compared here but what is too large to hand out: points by ledger row, and buckets.
//! The cost of what is not deep grows with the rows of the ledger, the objects and the daily buckets, not with the points.

mod buckets;
mod ledger;
mod manifest;
mod points;

use std::time::{Duration, Instant};

use dash_model::{EventSeq, MappingVersionId, Micros, PipelineId};
use deadpool_postgres::Transaction;

use crate::{
    DatabaseError, Inner, Mode,
    snapshot::{self, Snapshot},
};

/// Places of one kind that are listed; the others are counted.
const LISTED: usize = 5;

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct BooksOptions {
    /// Reads every point and every bucket as well.
    pub deep: bool,
    /// Longest that a statement may run.
    pub timeout: Option<Duration>,
    /// What the spools no longer hold; read before the books are.
    pub floors: Vec<Floor>,
}

/// Every event of `node` before `from` is done for good, in Silver and in the lake: the spool does not hold it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    pub node: u8,
    pub from: EventSeq,
}

/// The books of some pipelines at one moment.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub pipelines: Vec<PipelineBooks>,
    /// How long the database was at it.
    pub took: Duration,
}

/// The books of a pipeline and its active mapping version.
#[derive(Clone, Debug, Default)]
pub struct PipelineBooks {
    pub pipeline: Option<PipelineId>,
    /// Sums over the rows of the ledger.
    pub ledger: LedgerSums,
    /// Rows of the ledger.
    pub ledger_rows: u64,
    /// What `totals` has; nothing where it has no row.
    pub totals: Option<LedgerSums>,
    /// Rows in quarantine.
    pub quarantine: u64,
    /// Rows of the ledger whose number of quarantined events differs; read when the sums do.
    pub quarantine_places: Places,
    /// Rows of the ledger that begin before an earlier one ends: where each begins, and where the earlier ends. Looked for by a deep
    /// reading, and when the totals are not the sums.
    pub overlaps: Vec<(EventSeq, EventSeq)>,
    /// Committed objects by rising first event.
    pub objects: Vec<BookedObject>,
    /// Keys that are intended and not committed.
    pub intended: Vec<String>,
    /// Where the ledger is held against the manifest, rising: ends of objects, and floors.
    pub thresholds: Vec<EventSeq>,
    /// The ledger, cut at the thresholds.
    pub pieces: Vec<Piece>,
    /// How far ledger and manifest must be complete, for each node.
    pub extents: Vec<Extent>,
    /// Committed objects within the extents whose first or last event the ledger does not cover.
    pub uncovered: Vec<BookedObject>,
    /// Points as dashboards count them: from rollups, and from `metrics` where hours are out of date.
    pub counted_points: u64,
    /// Hours whose rollups are out of date.
    pub pending_hours: u64,
    /// Since when the oldest of them is.
    pub pending_since: Option<Micros>,
    /// What only a deep reading has.
    pub deep: Option<DeepBooks>,
}

/// Sums of one mapping version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerSums {
    pub batches: i64,
    pub events: i64,
    pub rejected: i64,
    pub mapped: i64,
    pub filtered: i64,
    pub quarantined: i64,
    pub points: i64,
}

/// An object of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedObject {
    pub key: String,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub rows: u64,
    pub bytes: u64,
    pub raw_bytes: u64,
}

/// Rows of the ledger of one node, whose first events lie at or before the same threshold, and so do their last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index of the first threshold that is not before the first events.
    pub from: usize,
    /// Index of the first threshold that is not before the last events.
    pub to: usize,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub events: u64,
}

/// How far the two are complete: nothing at or before these events is still on its way there.
///
/// Both stages take a pipeline's batches in the order of their events, so that what one of them has done is done up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub node: u8,
    pub silver: EventSeq,
    pub lake: EventSeq,
}

/// Rows of the ledger that differ from what they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub listed: Vec<Place>,
    pub more: u64,
}

/// Events from the first to the last, what the ledger counts of them, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub booked: u64,
    pub found: u64,
}

/// A row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRange {
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub events: u64,
    pub points: u64,
}

/// What only reading every point tells.
#[derive(Clone, Debug, Default)]
pub struct DeepBooks {
    /// The ledger, row by row.
    pub ranges: Vec<LedgerRange>,
    /// Points in `metrics`.
    pub points: u64,
    /// Rows of the ledger with another number of points than they count; points that no row covers are booked as 0.
    pub point_places: Places,
    /// Buckets of a minute, an hour and a day.
    pub buckets: Vec<Buckets>,
}

/// The buckets of one width, held against the points.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    /// The table or view.
    pub rollup: &'static str,
    pub compared: u64,
    pub listed: Vec<BucketDifference>,
    pub more: u64,
}

/// A bucket that is not what its points make.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketDifference {
    pub series: i64,
    pub metric: String,
    /// Its start.
    pub at: Micros,
    pub column: &'static str,
    /// From the points; nothing where there are none.
    pub expected: Option<String>,
    /// In the rollup; nothing where there is no bucket.
    pub found: Option<String>,
}

impl Places {
    fn add(&mut self, place: Place) {
        if self.listed.len() < LISTED {
            self.listed.push(place);
        } else {
            self.more += 1;
        }
    }
}

/// Reads the books of these pipelines, in their order; those that have no mapping version are left out.
pub async fn read(inner: &Inner, pipelines: &[PipelineId], options: &BooksOptions) -> Result<Books, DatabaseError> {
    let began = Instant::now();
    let mut client = inner.db.client().await?;
    for _ in 0..snapshot::ATTEMPTS {
        let snapshot = Snapshot::begin(&mut client, inner, options.timeout).await?;
        let mut books = all(inner, &snapshot, pipelines, options).await?;
        if snapshot.end().await? {
            books.took = began.elapsed();
            return Ok(books);
        }
    }
    Err(DatabaseError::Unsettled)
}

async fn all(
    inner: &Inner,
    tx: &Transaction<'_>,
    pipelines: &[PipelineId],
    options: &BooksOptions,
) -> Result<Books, DatabaseError> {
    if options.deep {
        tx.batch_execute("SET LOCAL work_mem = '64MB'").await?;
    }
    let mut books = Books::default();
    for &pipeline in pipelines {
        if let Some(version) = ledger::active_version(tx, pipeline).await? {
            let reader = Reader {
                tx,
                inner,
                pipeline,
                version,
            };
            books.pipelines.push(reader.read(options).await?);
        }
    }
    Ok(books)
}

struct Reader<'a> {
    tx: &'a Transaction<'a>,
    inner: &'a Inner,
    pipeline: PipelineId,
    version: MappingVersionId,
}

impl Reader<'_> {
    async fn read(&self, options: &BooksOptions) -> Result<PipelineBooks, DatabaseError> {
        let (tx, version) = (self.tx, self.version);
        let (ledger, ledger_rows) = ledger::sums(tx, version).await?;
        let quarantine = ledger::quarantine(tx, version).await?;
        let (objects, intended) = manifest::objects(tx, self.pipeline).await?;
        let thresholds = manifest::thresholds(&objects, &options.floors);
        let pieces = ledger::pieces(tx, version, &thresholds).await?;
        let extents = manifest::extents(&objects, &pieces, &options.floors);
        let dirty = points::dirty(tx, version).await?;
        let mut books = PipelineBooks {
            pipeline: Some(self.pipeline),
            ledger,
            ledger_rows,
            quarantine,
            uncovered: manifest::uncovered(tx, self.pipeline, version, &extents).await?,
            counted_points: points::counted(tx, version, &self.inner.mode, &dirty.hours).await?,
            pending_hours: dirty.hours.len() as u64,
            pending_since: dirty.since,
            totals: ledger::totals(tx, version).await?,
            objects,
            intended,
            thresholds,
            pieces,
            extents,
            ..PipelineBooks::default()
        };
        // A row too many is in no totals: only then is it worth the longest of the scans.
        if options.deep || books.totals.is_some_and(|totals| totals != ledger) {
            books.overlaps = ledger::overlaps(tx, version).await?;
        }
        if i64::try_from(quarantine) != Ok(ledger.quarantined) {
            books.quarantine_places = ledger::quarantine_places(tx, version).await?;
        }
        if options.deep {
            books.deep = Some(self.deep(&dirty.hours).await?);
        }
        Ok(books)
    }

    async fn deep(&self, dirty: &[i64]) -> Result<DeepBooks, DatabaseError> {
        let ranges = ledger::ranges(self.tx, self.version).await?;
        let (points, point_places) = points::by_range(self.tx, self.version, &ranges).await?;
        Ok(DeepBooks {
            ranges,
            points,
            point_places,
            buckets: buckets::compare(self.tx, self.version, self.inner.mode == Mode::Plain, dirty).await?,
        })
    }
}
