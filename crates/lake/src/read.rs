//! Reading back: whole pipelines for a replay, or the last events for a page.

use std::{io::Read, ops::RangeInclusive, sync::Arc};

use bytes::{Buf, Bytes};
use dash_model::EventSeq;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaDataReader,
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
        let footer = footer_length(&tail, size).map_err(|why| unreadable(&why))?;
        if footer > tail.len() {
            tail = store.range(key, size - footer as u64..size).await?;
        }
        Ok(Self {
            store: store.clone(),
            key: key.into(),
            size,
            metadata: metadata(&tail, footer).map_err(|e| unreadable(&e))?,
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
        let unreadable = |e: LakeError| LakeError::Unreadable {
            key: self.key.clone(),
            reason: e.to_string(),
        };
        let place = codec::byte_range(self.metadata.metadata().row_group(group), self.size).map_err(unreadable)?;
        let piece = Piece {
            start: place.start,
            bytes: self.store.range(&self.key, place).await?,
            size: self.size,
        };
        let metadata = self.metadata.clone();
        let decoded = tokio::task::spawn_blocking(move || codec::decode_groups(piece, metadata, vec![group])).await;
        decoded.map_err(|_| LakeError::Interrupted)?.map_err(unreadable)
    }
}

/// Bytes of the footer with its end, of an object of `size` bytes that ends in `tail`.
fn footer_length(tail: &[u8], size: u64) -> Result<usize, &'static str> {
    let end = tail
        .last_chunk::<FOOTER_END>()
        .and_then(|end| end.split_first_chunk::<4>());
    let length = match end {
        Some((length, b"PAR1")) => u32::from_le_bytes(*length) as usize + FOOTER_END,
        _ => return Err("it does not end like a Parquet file"),
    };
    if length as u64 > size {
        return Err("its footer is longer than the object");
    }
    Ok(length)
}

/// What the footer says, the last `length` bytes of `tail`.
fn metadata(tail: &Bytes, length: usize) -> Result<ArrowReaderMetadata, LakeError> {
    let footer = tail.slice(tail.len() - length..tail.len() - FOOTER_END);
    let metadata = codec::guarded(|| {
        let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new());
        Ok(metadata?)
    });
    codec::ours(metadata?)
}

/// The rows of an object that is in memory, read as [`read`] reads one in the store.
///
/// # Errors
/// As there; nothing else, whatever the bytes are.
#[cfg(feature = "fuzzing")]
pub fn read_in_memory(object: &Bytes, range: &EventRange) -> Result<Vec<LakeRow>, LakeError> {
    let size = object.len() as u64;
    let unreadable = |reason: &str| LakeError::Unreadable {
        key: "in memory".into(),
        reason: reason.into(),
    };
    let footer = footer_length(object, size).map_err(unreadable)?;
    let metadata = metadata(object, footer)?;
    let mut rows = Vec::new();
    for group in codec::groups_between(metadata.metadata(), *range.start(), *range.end()) {
        let place = codec::byte_range(metadata.metadata().row_group(group), size)?;
        let piece = Piece {
            bytes: object.slice(place.start as usize..place.end as usize),
            start: place.start,
            size,
        };
        rows.extend(codec::decode_groups(piece, metadata.clone(), vec![group])?);
    }
    rows.retain(|row| range.contains(&row.event));
    Ok(rows)
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
