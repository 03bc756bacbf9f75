//! Lists that are read again while their pipeline's figures move.

use std::{future::Future, time::Duration};

use leptos::{prelude::*, task::spawn_local};

use super::icon::{Icon, icons};
use crate::AppError;

/// Between two readings, however fast the figures move.
const PACE: Duration = Duration::from_millis(1_500);
const PACE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Rows that follow a figure.
pub struct Following<T: Send + Sync + 'static> {
    pub rows: RwSignal<Vec<T>>,
    /// Why the last reading failed; the rows are then those of the last good one.
    pub error: ReadSignal<Option<AppError>>,
    pub paused: RwSignal<bool>,
}

/// Begins with `first`; reads again by `read` when `figure` has changed, but not more often than [`PACE`] and not while paused.
/// On the server it stays at `first`.
pub fn follow<T, F, Fut>(first: Vec<T>, figure: Signal<u64>, read: F) -> Following<T>
where
    T: Send + Sync + 'static,
    F: Fn() -> Fut + Copy + 'static,
    Fut: Future<Output = Result<Vec<T>, AppError>> + 'static,
{
    let rows = RwSignal::new(first);
    let (error, set_error) = signal(None);
    let paused = RwSignal::new(false);
    // The figure that the rows are of, whether a reading is under way, and how many have ended.
    let seen = StoredValue::new(None::<u64>);
    let busy = StoredValue::new(false);
    let (ended, set_ended) = signal(0u32);
    // The page may be gone when a timer or an answer comes: hence `try_`.
    let again = move || {
        let Some(before) = figure.try_get_untracked() else {
            return;
        };
        let reading = read();
        spawn_local(async move {
            match reading.await {
                Ok(new) => {
                    seen.try_set_value(Some(before));
                    rows.try_set(new);
                    set_error.try_set(None);
                }
                Err(e) => _ = set_error.try_set(Some(e)),
            }
            busy.try_set_value(false);
            set_ended.try_update(|n| *n += 1);
        });
    };
    Effect::new(move |earlier: Option<()>| {
        let now = figure.get();
        ended.track();
        if earlier.is_none() {
            seen.set_value(Some(now));
        }
        if paused.get() || seen.get_value() == Some(now) || busy.get_value() {
            return;
        }
        busy.set_value(true);
        let failed = error.with_untracked(Option::is_some);
        set_timeout(again, if failed { PACE_AFTER_FAILURE } else { PACE });
    });
    Following { rows, error, paused }
}

/// Stops the list so that it can be read in peace.
#[component]
pub fn PauseButton(paused: RwSignal<bool>) -> impl IntoView {
    let (ready, set_ready) = signal(false);
    Effect::new(move |_| set_ready.set(true));
    let icon = Signal::derive(move || if paused.get() { icons::Play } else { icons::Pause });
    view! {
        <button type="button" class="btn" hidden=move || !ready.get() on:click=move |_| paused.update(|p| *p = !*p)>
            <Icon icon />
            {move || if paused.get() { "Follow again" } else { "Pause" }}
        </button>
    }
}
