//! The answers that a widget shows: the server's first ones until live ones come.

use leptos::prelude::*;

use crate::{
    AppError,
    chart::Answer,
    live::{LiveHandle, use_live},
    model::{
        dashboard::{Widget, WidgetKind},
        live::{State, Topic},
        query::{QueryResult, TimeRange},
    },
};

/// One for each spec of the widget, in their order.
#[derive(Clone, Copy)]
pub struct Answers {
    initial: StoredValue<Vec<Result<QueryResult, AppError>>>,
    live: StoredValue<Vec<LiveHandle>>,
    kind: WidgetKind,
}

/// What there is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Content,
    /// Answers, but not one point in them.
    Empty,
    Failed(AppError),
    /// The server says that it will not serve this.
    Refused(String),
}

impl Answers {
    /// Follows all specs of `widget` once its `width` is known.
    pub fn follow(
        widget: &Widget,
        range: TimeRange,
        initial: Vec<Result<QueryResult, AppError>>,
        width: Signal<Option<u32>>,
    ) -> Self {
        let shared = StoredValue::new(widget.clone());
        let specs = Memo::new(move |_| width.get().map(|width| shared.with_value(|w| w.specs(range, width))));
        let live = (0..initial.len())
            .map(|i| {
                use_live(Signal::derive(move || {
                    specs.with(|s| s.as_ref()?.get(i).cloned().map(Topic::Query))
                }))
            })
            .collect();
        Self {
            initial: StoredValue::new(initial),
            live: StoredValue::new(live),
            kind: widget.kind,
        }
    }

    /// Calls `f` with the newest answers, and again whenever one changes.
    pub fn with<R>(&self, f: impl FnOnce(&[Result<&QueryResult, Phase>]) -> R) -> R {
        let live = self.live.get_value();
        let states: Vec<_> = live.iter().map(|l| (l.state.read(), l.error.get())).collect();
        self.initial.with_value(|initial| {
            let newest: Vec<_> = states
                .iter()
                .zip(initial)
                .map(|((state, refused), initial)| match (&**state, initial, refused) {
                    (Some(State::Query(result)), ..) => Ok(result),
                    (_, Ok(result), _) => Ok(result),
                    (_, Err(_), Some(why)) => Err(Phase::Refused(why.clone())),
                    (_, Err(error), None) => Err(Phase::Failed(error.clone())),
                })
                .collect();
            f(&newest)
        })
    }

    /// The same by query, without those that failed. A stat has two answers to a query: this is the line.
    pub fn with_series<R>(&self, f: impl FnOnce(&[Answer]) -> R) -> R {
        let per_query = self.per_query();
        self.with(|all| {
            let answers: Vec<Answer> = all
                .iter()
                .enumerate()
                .filter(|(i, _)| (i + 1) % per_query == 0)
                .filter_map(|(i, result)| {
                    Some(Answer {
                        query: i / per_query,
                        result: result.as_ref().ok()?,
                    })
                })
                .collect();
            f(&answers)
        })
    }

    /// The numbers of the whole range, by query: what stats and tables show.
    pub fn with_totals<R>(&self, f: impl FnOnce(&[Answer]) -> R) -> R {
        let per_query = self.per_query();
        self.with(|all| {
            let answers: Vec<Answer> = all
                .iter()
                .enumerate()
                .filter(|(i, _)| i % per_query == 0)
                .filter_map(|(i, result)| {
                    Some(Answer {
                        query: i / per_query,
                        result: result.as_ref().ok()?,
                    })
                })
                .collect();
            f(&answers)
        })
    }

    fn per_query(&self) -> usize {
        if self.kind == WidgetKind::Stat { 2 } else { 1 }
    }

    /// Changes only when something else is to be shown.
    pub fn phase(self) -> Memo<Phase> {
        Memo::new(move |_| {
            self.with(|all| {
                let points = |r: &QueryResult| r.series.iter().any(|s| !s.points.is_empty());
                if all.iter().flatten().any(|r| points(r)) {
                    return Phase::Content;
                }
                all.iter()
                    .find_map(|r| r.as_ref().err().cloned())
                    .unwrap_or(Phase::Empty)
            })
        })
    }

    /// Series that the answers left out.
    pub fn omitted(&self) -> u32 {
        self.with(|all| all.iter().flatten().map(|r| r.omitted_series).max().unwrap_or(0))
    }

    /// Why a part of the widget is missing or not live, although the rest is there.
    pub fn complaint(&self) -> Option<String> {
        let refused = self.live.get_value().iter().find_map(|l| l.error.get());
        let failed = self.with(|all| {
            all.iter().find_map(|r| match r.as_ref().err()? {
                Phase::Failed(error) => Some(error.to_string()),
                Phase::Refused(why) => Some(why.clone()),
                Phase::Content | Phase::Empty => None,
            })
        });
        failed.or_else(|| refused.map(|why| format!("Not live: {why}")))
    }

    /// Where the points come from: "1m rollup", "raw, 5 s steps".
    pub fn resolution(&self) -> Option<String> {
        self.with_series(|answers| {
            let coarsest = answers
                .iter()
                .map(|a| a.result.resolution)
                .max_by_key(|r| (r.from, r.bucket_ms))?;
            Some(super::words::resolution(coarsest, self.kind))
        })
    }
}
