//! `/`

mod boards;
mod start;

use leptos::prelude::*;
use leptos_meta::Title;

use self::{boards::Boards, start::Start};

/// The dashboards with their main figures, then how to send data of one's own.
#[component]
pub fn Home() -> impl IntoView {
    view! {
        <Title text="Dashboards" />
        <div class="page space-y-10 pt-6">
            <Boards />
            <Start />
        </div>
    }
}
