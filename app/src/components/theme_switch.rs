//! System, light or dark.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::icon::{Icon, icons};
use crate::theme::Theme;

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
        let href = move || format!("/theme?set={}&to={}", theme.name(), encode(&here()));
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

/// Percent-encodes all but unreserved characters and the slash.
fn encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_query_survives_within_a_query() {
        assert_eq!(encode("/a?range=1h&x=é"), "/a%3Frange%3D1h%26x%3D%C3%A9");
    }
}
