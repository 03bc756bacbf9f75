//! Reading back: whole pipelines for a replay, or the last events for a page.

use std::{io::Read, ops::RangeInclusive, sync::Arc};

use bytes::{Buf, Bytes};
use dash_model::EventSeq;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    errors::ParquetError,
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
        reader::{ChunkReader, Length},
    },
};

use crate::{LakeError, LakeRow, Store, codec};

/// Events from the first to the last, both included.
pub type EventRange = RangeInclusive<EventSeq>;

/// Every event there can be.
pub const ALL_EVENTS: EventRange = EventSeq(0)..=EventSeq(i64::MAX);

/// A committed object as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeObject {
    pub key: String,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    /// Its size; with it the footer is found without asking first.
    pub bytes: u64,
}

/// Read at once from an object's end: with any luck the whole footer.
const FOOTER_GUESS: u64 = 64 << 10;
/// Length of the footer and the magic number behind it.
const FOOTER_END: usize = 8;

/// The rows of one object within `range`, row group by row group; other row groups are not even fetched. Decoding
/// happens on the blocking pool, and no more than one row group is in memory.
pub async fn read(
    store: &Store,
    key: &str,
    range: EventRange,
) -> Result<impl Stream<Item = Result<Vec<LakeRow>, LakeError>> + Send + use<>, LakeError> {
    let size = store.size(key).await?;
    Ok(OpenObject::open(store, key, size).await?.rows(range))
}

/// The rows of many objects within `range`, in the order given: the manifest's, by rising first event. Objects
/// outside of `range` are not opened.
pub fn replay(
    store: Store,
    objects: Vec<LakeObject>,
    range: EventRange,
) -> impl Stream<Item = Result<Vec<LakeRow>, LakeError>> + Send {
    let wanted = range.clone();
    let touched = objects
        .into_iter()
        .filter(move |o| o.first_event <= *wanted.end() && o.last_event >= *wanted.start());
    stream::iter(touched)
        .then(move |object| {
            let (store, range) = (store.clone(), range.clone());
            async move {
                let opened = OpenObject::open(&store, &object.key, object.bytes).await;
                opened.map(|opened| opened.rows(range))
            }
        })
        .try_flatten()
}

/// The last `n` events of these objects (in the manifest's order), by rising event.
pub async fn last_rows(store: &Store, objects: &[LakeObject], n: usize) -> Result<Vec<LakeRow>, LakeError> {
    let mut newest_first = Vec::with_capacity(n.min(1_024));
    for object in objects.iter().rev() {
        if newest_first.len() >= n {
            break;
        }
        let object = OpenObject::open(store, &object.key, object.bytes).await?;
        for group in (0..object.metadata.metadata().num_row_groups()).rev() {
            let rows = object.group(group).await?;
            // Copied, so that a handful of rows does not keep a row group in memory.
            let own = |row: LakeRow| LakeRow {
                raw: Bytes::copy_from_slice(&row.raw),
                ..row
            };
            newest_first.extend(rows.into_iter().rev().take(n - newest_first.len()).map(own));
            if newest_first.len() >= n {
                break;
            }
        }
    }
    newest_first.reverse();
    Ok(newest_first)
}

/// An object whose footer was read.
struct OpenObject {
    store: Store,
    key: String,
    size: u64,
    metadata: ArrowReaderMetadata,
}

impl OpenObject {
    async fn open(store: &Store, key: &str, size: u64) -> Result<Self, LakeError> {
        let unreadable = |reason: &dyn std::fmt::Display| LakeError::Unreadable {
            key: key.into(),
            reason: reason.to_string(),
        };
        if size < FOOTER_END as u64 {
            return Err(unreadable(&"it is too short for a Parquet file"));
        }
        let mut tail = store.range(key, size.saturating_sub(FOOTER_GUESS)..size).await?;
        let footer = footer_length(&tail).ok_or_else(|| unreadable(&"it does not end like a Parquet file"))?;
        if footer as u64 > size {
            return Err(unreadable(&"its footer is longer than the object"));
        }
        if footer > tail.len() {
            tail = store.range(key, size - footer as u64..size).await?;
        }
        let footer = tail.slice(tail.len() - footer..tail.len() - FOOTER_END);
        let metadata: ParquetMetaData = ParquetMetaDataReader::decode_metadata(&footer).map_err(|e| unreadable(&e))?;
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new());
        Ok(Self {
            store: store.clone(),
            key: key.into(),
            size,
            metadata: metadata.map_err(|e| unreadable(&e))?,
        })
    }

    fn rows(self, range: EventRange) -> impl Stream<Item = Result<Vec<LakeRow>, LakeError>> + Send + use<> {
        let groups = codec::groups_between(self.metadata.metadata(), *range.start(), *range.end());
        let object = Arc::new(self);
        stream::iter(groups)
            .then(move |group| {
                let (object, range) = (object.clone(), range.clone());
                async move {
                    let mut rows = object.group(group).await?;
                    rows.retain(|row| range.contains(&row.event));
                    Ok(rows)
                }
            })
            .try_filter(|rows| std::future::ready(!rows.is_empty()))
    }

    /// Fetches and decodes one row group.
    async fn group(&self, group: usize) -> Result<Vec<LakeRow>, LakeError> {
        let (start, end) = byte_range(self.metadata.metadata().row_group(group));
        let piece = Piece {
            bytes: self.store.range(&self.key, start..end).await?,
            start,
            size: self.size,
        };
        let metadata = self.metadata.clone();
        let decoded = tokio::task::spawn_blocking(move || codec::decode_groups(piece, metadata, vec![group])).await;
        decoded
            .map_err(|_| LakeError::Interrupted)?
            .map_err(|e| LakeError::Unreadable {
                key: self.key.clone(),
                reason: e.to_string(),
            })
    }
}

/// Bytes of the footer with its end, or nothing when this is no end of a Parquet file.
fn footer_length(tail: &[u8]) -> Option<usize> {
    let (length, magic) = tail.last_chunk::<FOOTER_END>()?.split_first_chunk::<4>()?;
    (magic == b"PAR1").then(|| u32::from_le_bytes(*length) as usize + FOOTER_END)
}

fn byte_range(group: &RowGroupMetaData) -> (u64, u64) {
    let ranges = group.columns().iter().map(|column| column.byte_range());
    ranges.fold((u64::MAX, 0), |(start, end), (at, length)| {
        (start.min(at), end.max(at + length))
    })
}

/// The part of an object that one row group lies in.
struct Piece {
    bytes: Bytes,
    start: u64,
    size: u64,
}

impl Piece {
    fn from(&self, at: u64) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF(format!("byte {at} lies outside of the row group"));
        let skip = at.checked_sub(self.start).ok_or_else(outside)? as usize;
        if skip > self.bytes.len() {
            return Err(outside());
        }
        Ok(self.bytes.slice(skip..))
    }
}

impl Length for Piece {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Piece {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Box::new(self.from(start)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.from(start)?;
        if length > rest.len() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} reach beyond the row group"
            )));
        }
        Ok(rest.slice(..length))
    }
}
