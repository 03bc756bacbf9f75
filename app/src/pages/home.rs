//! `/`

use leptos::prelude::*;

#[component]
pub fn Home() -> impl IntoView {
    view! { <h1>"Dash"</h1> }
}
