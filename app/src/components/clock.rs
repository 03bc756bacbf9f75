//! Times: UTC from the server, in words that count on in the browser.

use std::time::Duration;

use leptos::prelude::*;

use super::format;
use crate::page;

/// The browser's time, renewed every second; nothing until the page is hydrated.
#[derive(Clone, Copy)]
struct Clock(ReadSignal<Option<i64>>);

/// One clock for all times of the page.
#[component]
pub fn ClockProvider(children: Children) -> impl IntoView {
    let (now, set_now) = signal(None);
    provide_context(Clock(now));
    // Runs in the browser only, after hydration: the first paint is the server's.
    Effect::new(move |_| {
        set_now.set(page::now_ms());
        let timer = set_interval_with_handle(move || set_now.set(page::now_ms()), Duration::from_secs(1));
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    children()
}

/// "12 s ago", with the full time at hand; UTC where there is no JavaScript.
#[component]
pub fn RelativeTime(
    /// Milliseconds since 1970 UTC.
    #[prop(into)]
    ms: Signal<i64>,
) -> impl IntoView {
    let now = use_context::<Clock>().map(|clock| clock.0);
    let now = move || now.and_then(|now| now.get());
    let text = move || match now() {
        Some(now) => format::ago(now - ms.get()),
        None => format::utc(ms.get()),
    };
    let title = move || now().and_then(|_| page::local_time(ms.get()));
    view! {
        <time class="whitespace-nowrap" datetime=move || format::iso(ms.get()) title=title>
            {text}
        </time>
    }
}
