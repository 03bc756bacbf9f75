use proptest::prelude::*;

use super::*;
use crate::{Backlog, Stage, codec::FrameHead, ledger::Ledger};

proptest! {
    /// Whatever is committed and done in whatever order, the figures are those of counting.
    #[test]
    fn figures_are_those_of_counting(
        frames in prop::collection::vec((0_u128..3, 0_usize..4, prop::bool::weighted(0.2)), 1..40),
        done in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..80),
    ) {
        let mut ledger = Ledger::new(START);
        ledger.begin(START, PathBuf::from("first"), 1);
        let mut next = START;
        let mut all = Vec::new();
        let mut firsts = vec![START];
        for (pipeline, rows, roll) in frames {
            if roll && next > START {
                firsts.push(next);
                ledger.begin(next, PathBuf::from(next.to_string()), 1);
            }
            let mut new = batch(next.0 as usize, rows);
            new.pipeline = PipelineId(Uuid::from_u128(pipeline));
            let head = FrameHead::of(&new, 0, next);
            ledger.commit(&[head], 100);
            next = head.end();
            all.push((head, [false; 2]));
        }
        for (silver, which) in done {
            let stage = if silver { Stage::Silver } else { Stage::Bronze };
            let chosen = which.index(all.len());
            let (head, is_done) = &mut all[chosen];
            ledger.done(stage, &[head.id]);
            is_done[stage.index()] = true;
            for pipeline in [None, Some(0), Some(1), Some(2), Some(3)] {
                let pipeline = pipeline.map(|n| PipelineId(Uuid::from_u128(n)));
                for stage in [Stage::Silver, Stage::Bronze] {
                    let mine = all.iter().filter(|(head, done)| {
                        !done[stage.index()] && pipeline.is_none_or(|p| p == head.pipeline)
                    });
                    let want = Backlog {
                        batches: mine.clone().count() as u64,
                        events: mine.clone().map(|(head, _)| u64::from(head.events)).sum(),
                        oldest: mine.clone().next().map(|(head, _)| head.received_at),
                    };
                    prop_assert_eq!(ledger.pending(pipeline).of(stage), want);
                }
            }
        }
        for (head, done) in &all {
            for stage in [Stage::Silver, Stage::Bronze] {
                prop_assert_eq!(ledger.is_pending(stage, head.id), !done[stage.index()]);
            }
        }
        let removable: Vec<_> = ledger.removable().into_iter().map(|(first, _)| first).collect();
        for first in &removable {
            ledger.remove(*first);
        }
        // Gone are the sealed segments of which everything is done, and only those.
        let sealed = *firsts.last().unwrap();
        for (head, done) in &all {
            let of = firsts.iter().rev().find(|first| **first <= head.id).unwrap();
            let siblings = all.iter().filter(|(h, _)| firsts.iter().rev().find(|f| **f <= h.id) == Some(of));
            let finished = *of != sealed && siblings.clone().all(|(_, done)| *done == [true; 2]);
            prop_assert_eq!(removable.contains(of), finished, "{:?} {:?}", head.id, done);
            let kept = ledger.span_from(*of, 0).is_some_and(|span| span.first == *of);
            prop_assert_eq!(kept, !finished);
        }
    }
}
