use std::{collections::VecDeque, sync::Arc, time::Instant};

use dash_model::{BatchId, EventSeq, Micros};

use super::{Failing, now_micros};
use crate::{LakeError, PendingBatch, manifest::Intent, object::Sealed};

/// One pipeline's way into the lake.
#[derive(Default)]
pub(super) struct Lane {
    /// Committed ranges by rising event.
    committed: Vec<(EventSeq, EventSeq)>,
    /// Where the newest object of this life ends.
    written_to: Option<EventSeq>,
    /// Objects that an earlier life intended, with those of their batches that came so far.
    intended: Vec<Gathering>,
    /// Complete objects; the first is the next to be written.
    sealed: VecDeque<Arc<Sealed>>,
    open: Option<Open>,
    /// The newest batch that went into an object of this life.
    newest: Option<BatchId>,
    /// Failures in a row, and when the next try is due.
    pub attempts: u32,
    pub retry_at: Option<Instant>,
    pub failing: Option<Failing>,
}

struct Gathering {
    intent: Intent,
    batches: Vec<PendingBatch>,
    /// A batch behind this object came before it was complete.
    overtaken: Option<Micros>,
}

struct Open {
    batches: Vec<PendingBatch>,
    bytes: usize,
    opened: Instant,
}

/// Where a batch belongs.
pub(super) enum Place {
    /// It is here already.
    Held,
    Committed,
    /// Into the intended object with this index.
    Intended(usize),
    New,
}

impl Lane {
    pub fn add_committed(&mut self, first: EventSeq, last: EventSeq) {
        let at = self.committed.partition_point(|range| range.0 < first);
        self.committed.insert(at, (first, last));
    }

    pub fn add_intent(&mut self, intent: Intent) {
        let at = self
            .intended
            .partition_point(|g| g.intent.first_event < intent.first_event);
        let gathering = Gathering {
            intent,
            batches: Vec::new(),
            overtaken: None,
        };
        self.intended.insert(at, gathering);
    }

    /// # Errors
    /// [`LakeError::OutOfOrder`] for a batch that an object of this life has passed by.
    pub fn place(&self, id: BatchId) -> Result<Place, LakeError> {
        let holds = |batches: &[PendingBatch]| batches.binary_search_by_key(&id, |b| b.id).is_ok();
        let held =
            self.open.as_ref().is_some_and(|o| holds(&o.batches)) || self.sealed.iter().any(|s| holds(&s.batches));
        if held {
            return Ok(Place::Held);
        }
        let within = |g: &Gathering| (g.intent.first_event..=g.intent.last_event).contains(&id);
        if let Some(at) = self.intended.iter().position(within) {
            return Ok(match holds(&self.intended[at].batches) {
                true => Place::Held,
                false => Place::Intended(at),
            });
        }
        if self.committed.iter().any(|&(first, last)| (first..=last).contains(&id)) {
            return Ok(Place::Committed);
        }
        match self.newest {
            Some(after) if id <= after => Err(LakeError::OutOfOrder { batch: id, after }),
            _ => Ok(Place::New),
        }
    }

    /// Adds a batch to an intended object, and seals that when it is complete.
    pub fn gather(&mut self, at: usize, batch: PendingBatch) {
        let gathering = &mut self.intended[at];
        let place = gathering.batches.partition_point(|b| b.id < batch.id);
        gathering.batches.insert(place, batch);
        if gathering.rows() == gathering.intent.rows {
            let gathering = self.intended.remove(at);
            // The intent stays as it was recorded, key included.
            self.sealed.push_back(Arc::new(Sealed {
                intent: gathering.intent,
                batches: gathering.batches,
            }));
        }
    }

    /// Adds a batch to the open object, and seals that when it is large enough.
    pub fn append(&mut self, batch: PendingBatch, object_bytes: usize) {
        let id = batch.id;
        for gathering in self.intended.iter_mut().filter(|g| g.intent.last_event < id) {
            gathering.overtaken.get_or_insert_with(now_micros);
        }
        // An object never reaches over one that exists already: its range must hold all that it says.
        if let Some(from) = self.open.as_ref().and_then(|o| o.batches.first()).map(|b| b.id)
            && self.known().any(|first| first > from && first < id)
        {
            self.seal_if(|_| true);
        }
        let open = self.open.get_or_insert_with(|| Open {
            batches: Vec::new(),
            bytes: 0,
            opened: Instant::now(),
        });
        open.bytes += batch.records.bytes();
        open.batches.push(batch);
        self.newest = self.newest.max(Some(id));
        if open.bytes >= object_bytes {
            self.seal_if(|_| true);
        }
    }

    /// First events of all objects but the open one.
    fn known(&self) -> impl Iterator<Item = EventSeq> {
        let intended = self.intended.iter().map(|g| g.intent.first_event);
        let sealed = self.sealed.iter().map(|s| s.intent.first_event);
        self.committed.iter().map(|range| range.0).chain(intended).chain(sealed)
    }

    /// Seals the open object when the moment it was opened asks for it.
    pub fn seal_if(&mut self, due: impl Fn(Instant) -> bool) {
        if self.open.as_ref().is_some_and(|open| due(open.opened))
            && let Some(open) = self.open.take()
            && let Some(sealed) = Sealed::new(open.batches)
        {
            self.sealed.push_back(Arc::new(sealed));
        }
    }

    pub fn next_sealed(&self) -> Option<Arc<Sealed>> {
        self.sealed.front().cloned()
    }

    /// The next sealed object is committed.
    pub fn written(&mut self) -> Option<Arc<Sealed>> {
        let sealed = self.sealed.pop_front()?;
        (self.attempts, self.retry_at, self.failing) = (0, None, None);
        let (first, last) = (sealed.intent.first_event, sealed.intent.last_event);
        // Batches come in order, so nothing lies between two objects that were written one after the other.
        let before = self
            .committed
            .iter_mut()
            .find(|range| Some(range.1) == self.written_to && range.1 < first);
        match before {
            Some(range) => range.1 = last,
            None => self.add_committed(first, last),
        }
        self.written_to = Some(last);
        Some(sealed)
    }

    pub fn deadline(&self, age: std::time::Duration) -> Option<Instant> {
        let sealed = (!self.sealed.is_empty()).then(|| self.retry_at.unwrap_or_else(Instant::now));
        let open = self.open.as_ref().map(|open| open.opened + age);
        sealed.into_iter().chain(open).min()
    }

    pub fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.bytes)
    }

    /// Whether a flush could free anything.
    pub fn is_writable(&self) -> bool {
        self.open.is_some() || !self.sealed.is_empty()
    }

    pub fn waiting(&self) -> usize {
        self.sealed.len()
    }

    pub fn rows(&self) -> u64 {
        self.batches().map(|b| b.records.len() as u64).sum()
    }

    pub fn oldest(&self) -> Option<Micros> {
        self.batches().map(|b| b.received_at).min()
    }

    fn batches(&self) -> impl Iterator<Item = &PendingBatch> {
        let gathered = self.intended.iter().flat_map(|g| &g.batches);
        let sealed = self.sealed.iter().flat_map(|s| &s.batches);
        let open = self.open.iter().flat_map(|o| &o.batches);
        gathered.chain(sealed).chain(open)
    }

    /// What somebody should know about this lane.
    pub fn trouble(&self) -> Option<Failing> {
        let incomplete = || {
            let gathering = self.intended.iter().find(|g| g.overtaken.is_some())?;
            let error = LakeError::Incomplete {
                key: gathering.intent.key.clone(),
                intended: gathering.intent.rows,
                found: gathering.rows(),
            };
            Some(Failing {
                pipeline: gathering.intent.pipeline,
                key: gathering.intent.key.clone(),
                error: error.to_string(),
                since: gathering.overtaken?,
                attempts: 0,
                needs_attention: true,
            })
        };
        self.failing.clone().or_else(incomplete)
    }
}

impl Gathering {
    fn rows(&self) -> u64 {
        self.batches.iter().map(|b| b.records.len() as u64).sum()
    }
}
