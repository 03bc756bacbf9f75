//! What stands above and below every page.

use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_location};

use super::{
    icon::{Icon, icons},
    live_state::LiveState,
    menu::AccountMenu,
    theme_switch::ThemeSwitch,
};
use crate::here;

/// Name, navigation, state of the live connection, colours.
#[component]
pub fn Header() -> impl IntoView {
    let path = use_location().pathname;
    // A dashboard is a page of the first entry.
    let on_dashboards = move || path.with(|p| p == "/" || p.starts_with("/dashboards"));
    let current = move |on: bool| on.then_some("page");
    let signed_in = here::person().is_some();
    view! {
        <header class="sticky top-0 z-40 border-b border-line bg-surface">
            <div class="page flex min-h-14 flex-wrap items-center gap-x-2 py-1 sm:py-0">
                <a class="mr-2 inline-flex min-h-10 items-center gap-2 text-lg font-semibold tracking-tight" href="/">
                    <Mark />
                    "Dash"
                </a>
                <nav class="order-last -mx-3 flex w-[calc(100%+1.5rem)] sm:order-none sm:mx-0 sm:w-auto sm:gap-1" aria-label="Main">
                    <a class="nav-link" href="/" aria-current=move || current(on_dashboards())>
                        <Icon icon=icons::Dashboard />
                        "Dashboards"
                    </a>
                    {signed_in
                        .then(|| {
                            view! {
                                <A href="/pipelines" attr:class="nav-link">
                                    <Icon icon=icons::Pipeline />
                                    "Pipelines"
                                </A>
                            }
                        })}
                </nav>
                <div class="ml-auto flex items-center gap-2">
                    <LiveState />
                    <ThemeSwitch />
                    <AccountMenu />
                </div>
            </div>
        </header>
    }
}

/// Version and nothing else.
#[component]
pub fn Footer() -> impl IntoView {
    view! {
        <footer class="border-t border-line">
            <div class="page flex min-h-12 flex-wrap items-center justify-between gap-x-4 text-xs text-ink-3">
                <p>"Dash " {env!("CARGO_PKG_VERSION")}</p>
                <noscript>
                    <p>"This page shows the state at the time it was loaded. With JavaScript it is live."</p>
                </noscript>
            </div>
        </footer>
    }
}

/// The mark, in the colour of the page.
#[component]
fn Mark() -> impl IntoView {
    view! {
        <svg class="size-6 text-accent" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" fill="currentColor" />
            <path
                class="stroke-surface"
                d="M6 19h5l3.5-9 4 13 3-8H26"
                fill="none"
                stroke-width="2.6"
                stroke-linecap="round"
                stroke-linejoin="round"
            />
        </svg>
    }
}
