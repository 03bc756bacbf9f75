//! The bytes of a segment: a header, then frames, all integers little-endian.
//!
//! ```text
//! header  magic 8 | version u16 | node u8 | 0 u8 | first sequence i64 | mark u32 | 0 u32 | crc u32
//! frame   mark u32 | length u32 | crc u32 | payload (length bytes)
//! payload back u32 | id i64 | pipeline 16 | received_at i64 | events u32 | rejected u32
//!         | has key u8 [ length u32, key | body hash 32 ] | length u32, meta
//!         | rejections u32 [ index u32 | length u32, reason ]* | record length u32 * events | records
//! ```
//!
//! The mark is drawn at random for each segment: whoever posts records cannot forge frames that a scan for valid frames
//! after a damage would take for real ones. `back` is the distance to the first frame of the same commit: what lies
//! before that commit was durable when this frame was written.

use bytes::Bytes;
use dash_model::{BatchId, EventSeq, Micros, PipelineId, receipt::Rejection, record::RecordSet};
use uuid::Uuid;

use crate::{Batch, IdempotencyKey, NewBatch};

pub(crate) const VERSION: u16 = 1;
pub(crate) const HEADER: usize = 32;
pub(crate) const FRAME_HEAD: usize = 12;
const MAGIC: &[u8; 8] = b"DASHSPL\n";
const PAYLOAD_HEAD: usize = 4 + 8 + 16 + 8 + 4 + 4;

/// What stands at the front of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub node: u8,
    pub first: EventSeq,
    pub mark: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged,
    Version(u16),
}

impl Header {
    pub fn encode(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[10] = self.node;
        out[12..20].copy_from_slice(&self.first.0.to_le_bytes());
        out[20..24].copy_from_slice(&self.mark.to_le_bytes());
        let crc = crc32c::crc32c(&out[..HEADER - 4]);
        out[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn decode(data: &[u8]) -> Result<Self, HeaderError> {
        let mut input = Input(data);
        let mut read = || {
            let head = input.take(HEADER)?;
            let mut fields = Input(head);
            let magic = fields.take(8)?;
            let version = u16::from_le_bytes(fields.array()?);
            let [node, _] = fields.array()?;
            let first = EventSeq(fields.i64()?);
            let mark = fields.u32()?;
            fields.u32()?;
            (magic == MAGIC && fields.u32()? == crc32c::crc32c(&head[..HEADER - 4]))
                .then_some((version, Self { node, first, mark }))
        };
        match read() {
            None => Err(HeaderError::Damaged),
            Some((VERSION, header)) => Ok(header),
            Some((version, _)) => Err(HeaderError::Version(version)),
        }
    }
}

/// The exact length of a batch's frame.
pub(crate) fn frame_len(batch: &NewBatch) -> usize {
    let key = batch.idempotency.as_ref().map_or(0, |k| 4 + k.key.len() + 32);
    let rejections: usize = batch.rejections.iter().map(|r| 8 + r.reason.len()).sum();
    FRAME_HEAD
        + PAYLOAD_HEAD
        + 1
        + key
        + 4
        + batch.meta.len()
        + 4
        + rejections
        + 4 * batch.records.len()
        + batch.records.bytes()
}

/// Appends the frame of `batch` to `out`, where the first frame of the same commit stands at `out[0]`.
pub(crate) fn encode_frame(out: &mut Vec<u8>, mark: u32, id: BatchId, batch: &NewBatch) {
    let start = out.len();
    put(out, mark);
    out.extend_from_slice(&[0; FRAME_HEAD - 4]);
    put(out, start as u32);
    out.extend_from_slice(&id.0.to_le_bytes());
    out.extend_from_slice(batch.pipeline.0.as_bytes());
    out.extend_from_slice(&batch.received_at.0.to_le_bytes());
    put(out, batch.records.len() as u32);
    put(out, batch.rejected);
    out.push(u8::from(batch.idempotency.is_some()));
    if let Some(key) = &batch.idempotency {
        put_bytes(out, key.key.as_bytes());
        out.extend_from_slice(&key.body_hash);
    }
    put_bytes(out, &batch.meta);
    put(out, batch.rejections.len() as u32);
    for rejection in &batch.rejections {
        put(out, rejection.index);
        put_bytes(out, rejection.reason.as_bytes());
    }
    for record in batch.records.iter() {
        put(out, record.len() as u32);
    }
    for record in batch.records.iter() {
        out.extend_from_slice(record);
    }
    let payload = start + FRAME_HEAD;
    let length = ((out.len() - payload) as u32).to_le_bytes();
    let crc = checksum(length, &out[payload..]);
    out[start + 4..start + 8].copy_from_slice(&length);
    out[start + 8..payload].copy_from_slice(&crc.to_le_bytes());
}

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoFrame {
    /// What is there may be the beginning of one.
    Short,
    /// What is there is none.
    Wrong,
}

/// The length of the whole frame that `data` begins with, of which only the first bytes need to be there.
pub(crate) fn announced_len(data: &[u8], mark: u32) -> Result<usize, NoFrame> {
    let mut input = Input(data);
    let there = data.len().min(4);
    if data[..there] != mark.to_le_bytes()[..there] {
        return Err(NoFrame::Wrong);
    }
    input.u32().ok_or(NoFrame::Short)?;
    let length = input.u32().ok_or(NoFrame::Short)? as usize;
    if length < PAYLOAD_HEAD {
        return Err(NoFrame::Wrong);
    }
    Ok(FRAME_HEAD + length)
}

/// The length of the whole and undamaged frame that `data` begins with.
pub(crate) fn check_frame(data: &[u8], mark: u32) -> Result<usize, NoFrame> {
    let end = announced_len(data, mark)?;
    let frame = data.get(..end).ok_or(NoFrame::Short)?;
    let mut input = Input(&frame[4..]);
    let (length, crc) = (input.array(), input.u32());
    match (length, crc) {
        (Some(length), Some(crc)) if checksum(length, &frame[FRAME_HEAD..]) == crc => Ok(end),
        _ => Err(NoFrame::Wrong),
    }
}

/// The fields that bookkeeping needs, at the front of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// Bytes from the first frame of the same commit to this one.
    pub back: u32,
    pub id: BatchId,
    pub pipeline: PipelineId,
    pub received_at: Micros,
    pub events: u32,
    rejected: u32,
}

impl FrameHead {
    /// What [`encode_frame`] writes.
    pub fn of(batch: &NewBatch, back: u32, id: BatchId) -> Self {
        Self {
            back,
            id,
            pipeline: batch.pipeline,
            received_at: batch.received_at,
            events: batch.records.len() as u32,
            rejected: batch.rejected,
        }
    }

    /// The sequence after this batch.
    pub fn end(&self) -> EventSeq {
        self.id.offset(self.events.max(1) as usize)
    }

    /// Of a checked frame.
    pub fn decode(frame: &[u8]) -> Option<Self> {
        Self::read(&mut Input(frame.get(FRAME_HEAD..)?))
    }

    fn read(input: &mut Input<'_>) -> Option<Self> {
        Some(Self {
            back: input.u32()?,
            id: EventSeq(input.i64()?),
            pipeline: PipelineId(Uuid::from_bytes(input.array()?)),
            received_at: Micros(input.i64()?),
            events: input.u32()?,
            rejected: input.u32()?,
        })
    }
}

/// The batch of a checked frame; its fields are slices of `frame`. Nothing when it was encoded otherwise than here.
pub(crate) fn decode_frame(frame: &Bytes) -> Option<Batch> {
    let mut input = Input(frame.get(FRAME_HEAD..)?);
    let head = FrameHead::read(&mut input)?;
    let idempotency = match input.array()? {
        [0] => None,
        [1] => Some(IdempotencyKey {
            key: input.text()?,
            body_hash: input.array()?,
        }),
        _ => return None,
    };
    let meta = frame.slice_ref(input.bytes()?);
    let listed = input.u32()?;
    let mut rejections = Vec::new();
    for _ in 0..listed {
        rejections.push(Rejection {
            index: input.u32()?,
            reason: input.text()?,
        });
    }
    let lengths = input.take((head.events as usize).checked_mul(4)?)?;
    let data = frame.slice_ref(input.0);
    let mut spans = Vec::with_capacity(head.events as usize);
    let mut at = 0_u32;
    let (lengths, _) = lengths.as_chunks::<4>();
    for length in lengths {
        let end = at.checked_add(u32::from_le_bytes(*length))?;
        spans.push((at, end));
        at = end;
    }
    (at as usize == data.len()).then(|| Batch {
        id: head.id,
        pipeline: head.pipeline,
        received_at: head.received_at,
        idempotency,
        meta,
        records: RecordSet::new(data, spans),
        rejected: head.rejected,
        rejections,
    })
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), payload)
}

fn put(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// What is left to decode.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.u32()?;
        self.take(n as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}
