//! Surfaces, badges and figures.

use leptos::prelude::*;

use super::format::Figure;

/// A bordered surface, with a heading when `title` is given.
#[component]
pub fn Card(
    #[prop(optional, into)] title: Option<String>,
    #[prop(optional)] class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section class=format!("card p-4 {class}")>
            {title.map(|title| view! { <h2 class="mb-3">{title}</h2> })}
            {children()}
        </section>
    }
}

/// What a badge or a figure says about the state of things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Neutral,
    Accent,
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// Text and background.
    pub fn class(self) -> &'static str {
        match self {
            Self::Neutral => "bg-raised text-ink-2",
            Self::Accent => "bg-accent-soft text-accent",
            Self::Good => "bg-good-soft text-good",
            Self::Warn => "bg-warn-soft text-warn",
            Self::Bad => "bg-bad-soft text-bad",
        }
    }

    /// Text alone.
    pub fn text(self) -> &'static str {
        match self {
            Self::Neutral => "text-ink",
            Self::Accent => "text-accent",
            Self::Good => "text-good",
            Self::Warn => "text-warn",
            Self::Bad => "text-bad",
        }
    }
}

/// A word in a coloured pill. The word says it all; the colour only repeats it.
#[component]
pub fn Badge(#[prop(optional, into)] tone: Signal<Tone>, children: Children) -> impl IntoView {
    view! { <span class=move || format!("badge {}", tone.get().class())>{children()}</span> }
}

/// A labelled number, as a term and its description: stands within a `<dl>`.
#[component]
pub fn StatFigure(
    #[prop(into)] label: String,
    #[prop(into)] figure: Signal<Figure>,
    /// A few words below the number.
    #[prop(optional, into)]
    note: MaybeProp<String>,
    #[prop(optional, into)] tone: Signal<Tone>,
) -> impl IntoView {
    view! {
        <div class="min-w-0">
            <dt class="truncate text-xs text-ink-2">{label}</dt>
            <dd class="mt-0.5">
                <span class=move || format!("figure {}", tone.get().text())>{move || figure.get().number}</span>
                <span class="ml-1 text-sm text-ink-2">{move || figure.get().unit}</span>
                {move || note.get().map(|note| view! { <span class="block text-xs text-ink-3">{note}</span> })}
            </dd>
        </div>
    }
}
