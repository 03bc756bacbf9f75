//! Reading committed batches in order.

use std::{fmt, fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use dash_model::EventSeq;
use tokio::sync::watch;

use crate::{
    Batch, ReadError,
    codec::{self, NoFrame},
    ledger::Span,
    queue::End,
    spool::{Progress, Shared},
};

/// Hands out committed batches in order, from the oldest that is kept, following live.
pub struct Reader {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    /// Segment and byte that come next.
    segment: EventSeq,
    offset: u64,
    file: Option<(EventSeq, Arc<File>)>,
}

/// What one read found, and where the next begins.
struct Chunk {
    file: Arc<File>,
    batches: Vec<Batch>,
    offset: u64,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            progress: shared.progress.subscribe(),
            shared,
            segment: EventSeq(0),
            offset: 0,
            file: None,
        }
    }

    /// Waits until something is committed and answers as much as is there, up to about `max_bytes`, at least one
    /// batch. Segments that both stages are done with are passed over. Cancel safe: a dropped future has consumed nothing.
    ///
    /// # Errors
    /// See [`ReadError`]. After an error the reader stays where it was.
    pub async fn next(&mut self, max_bytes: usize) -> Result<Vec<Batch>, ReadError> {
        loop {
            let end = self.progress.borrow_and_update().end.clone();
            let span = self.shared.ledger.lock().span_from(self.segment, self.offset);
            let Some(span) = span else {
                match end {
                    Some(End::Closed) => return Err(ReadError::Closed),
                    Some(End::Stopped(why)) => return Err(ReadError::Stopped { why: why.to_string() }),
                    None => {}
                }
                // The sender lives in `shared`, so this ends only with a change.
                let _ = self.progress.changed().await;
                continue;
            };
            let open = self
                .file
                .as_ref()
                .filter(|(of, _)| *of == span.first)
                .map(|(_, file)| file.clone());
            let asked = span.clone();
            let read = tokio::task::spawn_blocking(move || read(&asked, open, max_bytes)).await;
            let chunk = match read {
                Ok(Ok(chunk)) => chunk,
                // Removed between the look and the open.
                Ok(Err(ReadError::Io { source, .. }))
                    if source.kind() == io::ErrorKind::NotFound && !self.is_current(&span) =>
                {
                    continue;
                }
                Ok(Err(e)) => return Err(e),
                Err(gone) => {
                    return Err(ReadError::Io {
                        path: span.path,
                        source: io::Error::other(gone),
                    });
                }
            };
            self.segment = span.first;
            self.offset = chunk.offset;
            self.file = Some((span.first, chunk.file));
            return Ok(chunk.batches);
        }
    }

    /// True when the next read would wait.
    #[cfg(test)]
    pub(crate) fn is_at_end(&self) -> bool {
        self.shared.ledger.lock().span_from(self.segment, self.offset).is_none()
    }

    fn is_current(&self, span: &Span) -> bool {
        let now = self.shared.ledger.lock().span_from(self.segment, self.offset);
        now.is_some_and(|now| now.first == span.first)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("segment", &self.segment)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

fn read(span: &Span, open: Option<Arc<File>>, max_bytes: usize) -> Result<Chunk, ReadError> {
    let failed = |source| ReadError::Io {
        path: span.path.clone(),
        source,
    };
    let damaged = |offset: u64, reason: &str| ReadError::Damaged {
        path: span.path.clone(),
        offset,
        reason: reason.into(),
    };
    let file = match open {
        Some(file) => file,
        None => Arc::new(File::open(&span.path).map_err(failed)?),
    };
    let there = (span.end - span.start) as usize;
    let mut wanted = there.min(max_bytes.max(codec::FRAME_HEAD));
    loop {
        let mut data = vec![0; wanted];
        file.read_exact_at(&mut data, span.start).map_err(failed)?;
        let data = Bytes::from(data);
        let mut batches = Vec::new();
        let mut at = 0;
        while at < data.len() {
            match codec::check_frame(&data[at..], span.mark) {
                Ok(len) => {
                    let batch = codec::decode_frame(&data.slice(at..at + len));
                    let offset = span.start + at as u64;
                    batches.push(batch.ok_or_else(|| damaged(offset, "a frame cannot be decoded"))?);
                    at += len;
                }
                Err(NoFrame::Short) if wanted < there => break,
                Err(_) => {
                    let offset = span.start + at as u64;
                    return Err(damaged(offset, "a committed frame does not match its checksum"));
                }
            }
        }
        if !batches.is_empty() {
            return Ok(Chunk {
                file,
                batches,
                offset: span.start + at as u64,
            });
        }
        // One frame that is longer than `max_bytes`.
        wanted = codec::announced_len(&data, span.mark).map_or(there, |len| len.min(there));
    }
}
