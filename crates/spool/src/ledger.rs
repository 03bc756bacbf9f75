//! What is committed and which stage is done with it: the index over the segments, kept in memory.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};

use dash_model::{BatchId, EventSeq, Micros, PipelineId};

use crate::{
    Backlog, Pending, Stage,
    codec::{self, FrameHead},
};

const STAGES: [Stage; 2] = [Stage::Silver, Stage::Bronze];

pub(crate) struct Ledger {
    /// By first sequence; all but the last are sealed.
    segments: VecDeque<Segment>,
    pipelines: HashMap<PipelineId, u32>,
    /// By number of the pipeline.
    tallies: Vec<[Tally; 2]>,
    total: [Tally; 2],
    next: EventSeq,
}

struct Segment {
    first: EventSeq,
    path: PathBuf,
    mark: u32,
    /// Bytes that are committed.
    end: u64,
    frames: Vec<Frame>,
    /// All pipelines together.
    all: Share,
    shares: HashMap<u32, Share>,
}

/// 24 bytes: a spool full of single events holds millions of these.
struct Frame {
    /// From the segment's first sequence.
    delta: u32,
    events: u32,
    received_at: Micros,
    pipeline: u32,
    /// A bit for each stage.
    done: u8,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    batches: u64,
    events: u64,
}

/// What a segment holds of a pipeline; by stage.
#[derive(Clone, Copy, Default)]
struct Share {
    pending: [u32; 2],
    /// No frame before this one is pending.
    cursor: [usize; 2],
}

/// Where committed frames lie.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub first: EventSeq,
    pub path: PathBuf,
    pub mark: u32,
    pub start: u64,
    pub end: u64,
}

impl Frame {
    fn is_pending(&self, stage: usize) -> bool {
        self.done & (1 << stage) == 0
    }
}

impl Ledger {
    pub fn new(next: EventSeq) -> Self {
        Self {
            segments: VecDeque::new(),
            pipelines: HashMap::new(),
            tallies: Vec::new(),
            total: [Tally::default(); 2],
            next,
        }
    }

    /// Seals the last segment and begins a new one.
    pub fn begin(&mut self, first: EventSeq, path: PathBuf, mark: u32) {
        self.next = first;
        self.segments.push_back(Segment {
            first,
            path,
            mark,
            end: codec::HEADER as u64,
            frames: Vec::new(),
            all: Share::default(),
            shares: HashMap::new(),
        });
    }

    /// Takes over frames that were committed to the last segment, which now ends at `end`.
    pub fn commit(&mut self, heads: &[FrameHead], end: u64) {
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        segment.end = end;
        for head in heads {
            let known = self.tallies.len() as u32;
            let pipeline = *self.pipelines.entry(head.pipeline).or_insert(known);
            if pipeline == known {
                self.tallies.push([Tally::default(); 2]);
            }
            let place = segment.frames.len();
            segment.frames.push(Frame {
                delta: (head.id.0 - segment.first.0) as u32,
                events: head.events,
                received_at: head.received_at,
                pipeline,
                done: 0,
            });
            let share = segment.shares.entry(pipeline).or_insert(Share {
                pending: [0; 2],
                cursor: [place; 2],
            });
            for stage in 0..STAGES.len() {
                share.pending[stage] += 1;
                segment.all.pending[stage] += 1;
                for tally in [&mut self.tallies[pipeline as usize][stage], &mut self.total[stage]] {
                    tally.batches += 1;
                    tally.events += u64::from(head.events);
                }
            }
            self.next = head.end();
        }
    }

    /// The first sequence that is still kept; the next one to be handed out when nothing is.
    pub fn kept_from(&self) -> EventSeq {
        self.segments.front().map_or(self.next, |s| s.first)
    }

    /// Whether `stage` has still to do this batch.
    pub fn is_pending(&self, stage: Stage, id: BatchId) -> bool {
        let after = self.segments.partition_point(|s| s.first <= id);
        let Some(segment) = after.checked_sub(1).and_then(|i| self.segments.get(i)) else {
            return false;
        };
        let frame = u32::try_from(id.0 - segment.first.0)
            .ok()
            .and_then(|delta| segment.frames.binary_search_by_key(&delta, |f| f.delta).ok());
        frame.is_some_and(|place| segment.frames[place].is_pending(stage.index()))
    }

    /// Notes that `stage` is done with these batches; true when a segment can be removed now.
    pub fn done(&mut self, stage: Stage, batches: &[BatchId]) -> bool {
        let stage = stage.index();
        let mut finished = false;
        for id in batches {
            let after = self.segments.partition_point(|s| s.first <= *id);
            let is_last = after == self.segments.len();
            let Some(segment) = after.checked_sub(1).and_then(|i| self.segments.get_mut(i)) else {
                continue;
            };
            let Ok(delta) = u32::try_from(id.0 - segment.first.0) else {
                continue;
            };
            let Ok(place) = segment.frames.binary_search_by_key(&delta, |f| f.delta) else {
                continue;
            };
            let frame = &mut segment.frames[place];
            if !frame.is_pending(stage) {
                continue;
            }
            frame.done |= 1 << stage;
            for tally in [
                &mut self.tallies[frame.pipeline as usize][stage],
                &mut self.total[stage],
            ] {
                tally.batches -= 1;
                tally.events -= u64::from(frame.events);
            }
            if let Some(share) = segment.shares.get_mut(&frame.pipeline) {
                share.pending[stage] -= 1;
            }
            segment.all.pending[stage] -= 1;
            finished |= !is_last && segment.is_done();
        }
        finished
    }

    /// Sealed segments that nobody needs any more.
    pub fn removable(&self) -> Vec<(EventSeq, PathBuf)> {
        let sealed = self.segments.len().saturating_sub(1);
        let done = self.segments.iter().take(sealed).filter(|s| s.is_done());
        done.map(|s| (s.first, s.path.clone())).collect()
    }

    /// Forgets a segment whose file is gone.
    pub fn remove(&mut self, first: EventSeq) {
        self.segments.retain(|s| s.first != first);
    }

    /// What a reader that stands at `offset` of the segment that begins with `first` reads next. Removable segments
    /// are passed over: their files may be gone at any moment.
    pub fn span_from(&self, first: EventSeq, offset: u64) -> Option<Span> {
        let from = self.segments.partition_point(|s| s.first < first);
        let active = self.segments.len().saturating_sub(1);
        let mut kept = (from..)
            .zip(self.segments.range(from..))
            .filter(|(place, s)| *place == active || !s.is_done());
        kept.find_map(|(_, s)| {
            let start = if s.first == first { offset } else { 0 };
            let start = start.max(codec::HEADER as u64);
            (start < s.end).then(|| Span {
                first: s.first,
                path: s.path.clone(),
                mark: s.mark,
                start,
                end: s.end,
            })
        })
    }

    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.end).sum()
    }

    pub fn next(&self) -> EventSeq {
        self.next
    }

    /// What is pending of one pipeline, or of all.
    pub fn pending(&mut self, pipeline: Option<PipelineId>) -> Pending {
        let (tallies, number) = match pipeline {
            None => (self.total, None),
            Some(id) => match self.pipelines.get(&id) {
                Some(&number) => (self.tallies[number as usize], Some(number)),
                None => return Pending::default(),
            },
        };
        let [silver, bronze] = STAGES.map(|stage| {
            let tally = tallies[stage.index()];
            Backlog {
                batches: tally.batches,
                events: tally.events,
                oldest: self.oldest(stage.index(), number).filter(|_| tally.batches > 0),
            }
        });
        Pending { silver, bronze }
    }

    fn oldest(&mut self, stage: usize, pipeline: Option<u32>) -> Option<Micros> {
        self.segments.iter_mut().find_map(|segment| {
            let share = match pipeline {
                None => &mut segment.all,
                Some(number) => segment.shares.get_mut(&number)?,
            };
            if share.pending[stage] == 0 {
                return None;
            }
            let from = share.cursor[stage];
            let mine = |f: &Frame| f.is_pending(stage) && pipeline.is_none_or(|number| f.pipeline == number);
            let place = from + segment.frames[from..].iter().position(mine)?;
            share.cursor[stage] = place;
            Some(segment.frames[place].received_at)
        })
    }
}

impl Segment {
    fn is_done(&self) -> bool {
        self.all.pending == [0; 2]
    }
}
