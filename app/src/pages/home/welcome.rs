//! What is next for somebody who is not signed in.

use leptos::prelude::*;

use crate::{
    components::{Icon, icons},
    here,
};

#[component]
pub fn Welcome() -> impl IntoView {
    let set_up = here::ways().set_up;
    view! {
        <section id="start" aria-labelledby="start-title" class="card flex flex-wrap items-center gap-4 p-5">
            <Icon icon=icons::Bolt size="1.75rem" class="text-accent" />
            <div class="min-w-0 flex-1">
                <h2 id="start-title">"Send your own data"</h2>
                {match set_up {
                    true => {
                        view! {
                            <p class="mt-1 max-w-prose text-ink-2">
                                "Make the first account: its link stands on the console where Dash was started, below the address of this page. Then this place shows how to send events of your own."
                            </p>
                        }
                            .into_any()
                    }
                    false => {
                        view! {
                            <p class="mt-1 max-w-prose text-ink-2">
                                "What you see here is shared with everybody. Sign in for pipelines and dashboards of your own."
                            </p>
                        }
                            .into_any()
                    }
                }}
            </div>
            {(!set_up)
                .then(|| {
                    view! {
                        <a class="btn btn-primary" href="/sign-in" rel="external">
                            "Sign in"
                        </a>
                    }
                })}
        </section>
    }
}
