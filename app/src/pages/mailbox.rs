//! `/mailbox`: letters of a server that has no way to send any.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    api,
    components::{EmptyState, PageError, RelativeTime, Skeleton, icons},
    model::people::Letter,
    page,
};

#[component]
pub fn Mailbox() -> impl IntoView {
    let letters = page::data(|| (), |()| api::list_letters());
    view! {
        <Title text="Mailbox" />
        <Suspense fallback=|| view! { <Skeleton class="h-64" /> }>
            {move || Suspend::new(async move {
                match letters.await {
                    Ok(letters) => view! { <Loaded letters /> }.into_any(),
                    Err(error) => view! { <PageError error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Loaded(letters: Vec<Letter>) -> impl IntoView {
    view! {
        <div class="page max-w-4xl space-y-4 pt-6">
            <div>
                <h1>"Mailbox"</h1>
                <p class="mt-1 max-w-prose text-ink-2">
                    "This server has no mail server. What it would send is here, for whoever sits at this machine. Set "
                    <code class="text-ink">"DASH_SMTP_URL"</code> " and it is sent instead."
                </p>
            </div>
            {letters
                .is_empty()
                .then(|| {
                    view! {
                        <div class="card">
                            <EmptyState title="There is no letter." icon=icons::Mail />
                        </div>
                    }
                })}
            {letters.into_iter().map(|letter| view! { <Sheet letter /> }).collect_view()}
        </div>
    }
}

#[component]
fn Sheet(letter: Letter) -> impl IntoView {
    view! {
        <article class="card p-4">
            <h2>{letter.subject}</h2>
            <p class="mt-0.5 text-sm text-ink-2">
                "To " {letter.to} ", " <RelativeTime ms=letter.created_at.millis() />
            </p>
            <div class="mt-3 text-sm break-words whitespace-pre-wrap">{lines(&letter.text)}</div>
        </article>
    }
}

/// The text, its links to be clicked.
fn lines(text: &str) -> impl IntoView + use<> {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let address = word.trim_end();
        match address.starts_with("http://") || address.starts_with("https://") {
            true => {
                let space = word[address.len()..].to_owned();
                view! {
                    <a class="link break-all" href=address.to_owned() rel="external">
                        {address.to_owned()}
                    </a>
                    {space}
                }
                .into_any()
            }
            false => word.to_owned().into_any(),
        }
    });
    words.collect::<Vec<_>>()
}
