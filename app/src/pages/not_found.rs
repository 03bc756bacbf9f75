//! Everything else.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    components::{EmptyState, icons},
    page,
};

/// Says so, with status 404.
#[component]
pub fn NotFound() -> impl IntoView {
    page::status(404);
    view! {
        <Title text="Not found" />
        <div class="page py-10">
            <h1 class="text-center">"There is no such page"</h1>
            <EmptyState title="The address is wrong, or what was here has been removed." icon=icons::Warning>
                <a class="btn" href="/">
                    "Back to the dashboards"
                </a>
            </EmptyState>
        </div>
    }
}
