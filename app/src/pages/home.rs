//! `/`

mod boards;
mod start;
mod welcome;

use leptos::prelude::*;
use leptos_meta::Title;

use self::{boards::Boards, start::Start, welcome::Welcome};
use crate::here;

/// The dashboards with their main figures, then how to send data of one's own.
#[component]
pub fn Home() -> impl IntoView {
    view! {
        <Title text="Dashboards" />
        <div class="page space-y-10 pt-6">
            <Boards />
            {match here::person() {
                Some(person) if person.organization.is_some() => view! { <Start /> }.into_any(),
                Some(_) => ().into_any(),
                None => view! { <Welcome /> }.into_any(),
            }}
        </div>
    }
}
