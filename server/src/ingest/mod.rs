//! From a posted body to a receipt: who sends, what it says, whether it was seen before, and down to the disk.
//!
//! HTTP stays in [`crate::web`]; the built-in sources and the demo come in through the same [`Ingest::accept`].

mod idempotency;
mod lake_acks;
mod sender;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dash_db::Db;
use dash_ingest::{Decoded, Encoding, Format, IngestError, Limits, ProblemKind, decode};
use dash_model::{receipt::Receipt, record::RecordSet};
use dash_spool::{NewBatch, Spool};
use tokio::sync::Semaphore;

pub use idempotency::Answers;
pub use lake_acks::LakeAcks;
pub use sender::{Sender, signed};

use crate::{activity::Activity, catalog::Entry, failure::Failure};

/// Bodies from this size on are decoded off the async threads.
const LARGE: usize = 32 << 10;

/// A posted body with what its headers say.
pub struct Posted {
    pub body: Bytes,
    pub format: Format,
    pub encoding: Encoding,
    /// Idempotency-Key or webhook-id.
    pub key: Option<dash_ingest::IdempotencyKey>,
    /// About the request, as JSON; kept beside each record in the lake.
    pub meta: Bytes,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    pub limits: Limits,
    answers: Answers,
    spool: Spool,
    activity: Activity,
    lake_acks: LakeAcks,
    /// Bytes of bodies that are in memory at one time, in KiB.
    memory: Arc<Semaphore>,
}

/// A body's share of the memory; given back when dropped.
pub type Share = tokio::sync::OwnedSemaphorePermit;

impl Ingest {
    /// `in_flight` bounds the bytes of all bodies that are decoded at one time.
    pub fn new(db: &Db, spool: Spool, activity: Activity, limits: Limits, in_flight: usize) -> Self {
        Self {
            limits,
            answers: Answers::new(db.clone()),
            spool,
            activity,
            lake_acks: LakeAcks::default(),
            memory: Arc::new(Semaphore::new((in_flight >> 10).clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    pub fn lake_acks(&self) -> &LakeAcks {
        &self.lake_acks
    }

    /// Waits until an accepted batch is in the lake; false when it takes longer than `patience`.
    pub async fn in_lake(&self, entry: &Entry, receipt: &Receipt, patience: Duration) -> bool {
        self.lake_acks
            .wait(&self.spool, entry.pipeline.id, receipt.batch, patience)
            .await
    }

    /// Room for a body that may inflate to its limit, or 429: what cannot be held is not taken.
    pub fn reserve(&self, body: usize, encoding: Encoding) -> Result<Share, Failure> {
        let inflated = match encoding {
            Encoding::Identity => body,
            _ => self.limits.inflated_bytes,
        };
        let kib = u32::try_from(((body + inflated) >> 10) + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).try_acquire_many_owned(kib).map_err(|_| {
            let problem = dash_ingest::Problem::new(
                ProblemKind::RateLimited,
                "too many bodies are being decoded at this moment; send this one again a little later",
            );
            problem.retry_after(Duration::from_secs(1)).into()
        })
    }

    /// Takes a body whose sender is known: decodes it, makes it durable, answers.
    pub async fn accept(&self, entry: &Arc<Entry>, posted: Posted) -> Result<Receipt, Failure> {
        let Some(key) = posted.key.clone() else {
            return taken(self.append(entry, posted, None).await?);
        };
        let hash = dash_ingest::body_hash(&posted.body);
        let pipeline = entry.pipeline.id;
        match self.answers.begin(pipeline, key.as_str(), hash).await? {
            idempotency::Begun::Answered(receipt) => taken(receipt),
            idempotency::Begun::First(turn) => {
                let id = dash_spool::IdempotencyKey {
                    key: key.as_str().to_owned(),
                    body_hash: hash,
                };
                // On its own task: a sender who leaves now must not leave the key half taken.
                let (this, entry) = (self.clone(), Arc::clone(entry));
                let task = tokio::spawn(async move {
                    let receipt = this.append(&entry, posted, Some(id)).await;
                    turn.end(receipt.as_ref().ok());
                    receipt
                });
                taken(
                    task.await
                        .map_err(|e| Failure::internal(format!("an append ended early: {e}")))??,
                )
            }
        }
    }

    async fn append(
        &self,
        entry: &Arc<Entry>,
        posted: Posted,
        key: Option<dash_spool::IdempotencyKey>,
    ) -> Result<Receipt, Failure> {
        let decoded = match self.decode(entry, &posted).await {
            // Counted, and answered in the same way when it comes again.
            Err(Failure::Ingest(IngestError::AllRejected {
                rejected,
                rejected_total,
            })) if rejected_total > 0 => Decoded {
                records: RecordSet::default(),
                rejected,
                rejected_total,
            },
            other => other?,
        };
        let received_at = crate::clock::now();
        let (accepted, rejected_total) = (decoded.records.len() as u32, decoded.rejected_total);
        let batch = NewBatch {
            pipeline: entry.pipeline.id,
            received_at,
            idempotency: key,
            meta: posted.meta,
            records: decoded.records,
            rejected: rejected_total,
            rejections: decoded.rejected.clone(),
        };
        let batch = self.spool.append(batch).await?;
        self.activity.accepted(entry.pipeline.id, accepted);
        Ok(Receipt {
            batch,
            accepted,
            rejected: decoded.rejected,
            rejected_total,
        })
    }

    async fn decode(&self, entry: &Arc<Entry>, posted: &Posted) -> Result<Decoded, Failure> {
        let (body, format, encoding, limits) = (posted.body.clone(), posted.format, posted.encoding, self.limits);
        if body.len() < LARGE && encoding == Encoding::Identity {
            return Ok(decode(
                body,
                format,
                encoding,
                entry.pipeline.source.records(),
                &limits,
            )?);
        }
        let entry = Arc::clone(entry);
        let work = move || decode(body, format, encoding, entry.pipeline.source.records(), &limits);
        let decoded = tokio::task::spawn_blocking(work).await;
        Ok(decoded.map_err(|e| Failure::internal(format!("a decoder ended early: {e}")))??)
    }
}

/// A body of which nothing was taken is answered as a problem.
fn taken(receipt: Receipt) -> Result<Receipt, Failure> {
    match receipt.accepted {
        0 => Err(IngestError::AllRejected {
            rejected: receipt.rejected,
            rejected_total: receipt.rejected_total,
        }
        .into()),
        _ => Ok(receipt),
    }
}
