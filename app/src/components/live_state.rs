//! Whether what the page shows is what is.

use leptos::prelude::*;

use super::{
    card::{Badge, Tone},
    icon::{Icon, icons},
    widget::time,
};
use crate::live::{Connection, use_connection};

/// "Live", or since when not. Nothing while that is not known, and nothing without a script.
#[component]
pub fn LiveState() -> impl IntoView {
    let status = use_connection();
    let (ready, set_ready) = signal(false);
    Effect::new(move |_| set_ready.set(true));
    let state = Memo::new(move |_| ready.get().then(|| status.get()));
    view! {
        <div role="status">
            {move || match state.get() {
                None | Some(Connection::Connecting) => ().into_any(),
                Some(Connection::Live) => {
                    view! {
                        <Badge tone=Tone::Good>
                            <Icon icon=icons::Signal />
                            "Live"
                        </Badge>
                    }
                        .into_any()
                }
                Some(Connection::Stale { since_ms }) => {
                    view! {
                        <Badge tone=Tone::Warn>
                            <Icon icon=icons::SignalLost />
                            "Not live "
                            // No room for it on a phone.
                            <span class="hidden sm:inline">"since " {time::local_clock(since_ms)}</span>
                        </Badge>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}
