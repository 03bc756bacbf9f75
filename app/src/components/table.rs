//! Tables that fit a phone.

use leptos::prelude::*;

/// Scrolls a wide table inside itself, so that the page never scrolls sideways; reachable by keyboard.
#[component]
pub fn TableWrap(
    /// Names the table for screen readers.
    #[prop(into)]
    label: String,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="scroll-x" role="region" aria-label=label tabindex="0">
            {children()}
        </div>
    }
}
