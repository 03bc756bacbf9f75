//! System, light or dark.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::icon::{Icon, icons};
use crate::{page, theme::Theme};

/// Three links; a script makes them instant.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let chosen = RwSignal::new(Theme::current());
    let location = use_location();
    let here = move || {
        let (path, query) = (location.pathname.get(), location.search.get());
        let query = query.trim_start_matches('?');
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    };
    let option = move |theme: Theme, label: &'static str, icon: icons::Icon| {
        let href = move || format!("/theme?set={}&to={}", theme.name(), page::encode(&here()));
        view! {
            <a
                class="inline-flex size-10 items-center justify-center rounded-md text-ink-2 hover:text-ink aria-[current]:bg-raised aria-[current]:text-ink"
                href=href
                rel="external nofollow"
                title=label
                aria-current=move || (chosen.get() == theme).then_some("true")
                on:click=move |event| {
                    event.prevent_default();
                    theme.apply();
                    chosen.set(theme);
                }
            >
                <Icon icon />
                <span class="sr-only">{label}</span>
            </a>
        }
    };
    view! {
        <div class="flex" role="group" aria-label="Colours">
            {option(Theme::System, "Colours of the system", icons::System)}
            {option(Theme::Light, "Light colours", icons::Sun)}
            {option(Theme::Dark, "Dark colours", icons::Moon)}
        </div>
    }
}
