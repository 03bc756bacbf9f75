//! The states between nothing and something: loading, empty, failed.

use leptos::prelude::*;
use leptos_meta::Title;

use super::icon::{Icon, icons};
use crate::{AppError, error::Transport, page};

/// Grey where content will be. `class` gives its size.
#[component]
pub fn Skeleton(#[prop(default = "h-24")] class: &'static str) -> impl IntoView {
    view! {
        <div class=format!("skeleton {class}") role="status">
            <span class="sr-only">"Loading"</span>
        </div>
    }
}

/// In the place of a page: a head, and cards of these sizes.
#[component]
pub fn PageSkeleton(cards: [&'static str; 2]) -> impl IntoView {
    view! {
        <div class="page space-y-4 pt-6">
            <Skeleton class="h-14" />
            {cards.map(|class| view! { <Skeleton class /> })}
        </div>
    }
}

/// Says that there is nothing yet, and what to do about it.
#[component]
pub fn EmptyState(
    #[prop(into)] title: String,
    #[prop(into, default = Signal::stored(icons::Inbox))] icon: Signal<icons::Icon>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center justify-center gap-2 px-4 py-10 text-center">
            <Icon icon size="1.75rem" class="text-ink-3" />
            <p class="font-medium">{title}</p>
            {children.map(|children| view! { <div class="max-w-prose text-sm text-ink-2">{children()}</div> })}
        </div>
    }
}

/// Says what failed in the words of `error`, and offers to try again.
#[component]
pub fn ErrorState(
    #[prop(into)] error: AppError,
    /// Asks again; without it there is no button.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    // Repeating a wrong question gives the same answer.
    let retry = retry.filter(|_| {
        matches!(
            error,
            AppError::Unavailable { .. } | AppError::Internal | AppError::Transport(_)
        )
    });
    let way_in = matches!(error, AppError::SignIn).then(|| {
        view! {
            <a class="btn btn-primary" href="/sign-in" rel="external">
                "Sign in"
            </a>
        }
    });
    if let (Some(retry), AppError::Transport(Transport::Silent)) = (retry, &error) {
        page::when_server_answers(retry);
    }
    view! {
        <div class="flex flex-col items-center justify-center gap-3 px-4 py-8 text-center" role="alert">
            <Icon icon=icons::Warning size="1.75rem" class="text-bad" />
            <p class="max-w-prose text-sm text-ink">{error.to_string()}</p>
            {way_in}
            {retry
                .map(|retry| {
                    view! {
                        <button type="button" class="btn" on:click=move |_| retry.run(())>
                            <Icon icon=icons::Retry />
                            "Try again"
                        </button>
                    }
                })}
        </div>
    }
}

/// The failure of a whole page: the answer carries its status.
#[component]
pub fn PageError(error: AppError, #[prop(optional, into)] retry: Option<Callback<()>>) -> impl IntoView {
    page::status(error.status());
    if let (AppError::SignIn, Some(path)) = (&error, page::rendered_path()) {
        page::redirect(&format!("/sign-in?to={}", page::encode(&path)));
    }
    let title = match &error {
        AppError::NotFound { what, .. } => format!("No such {what}"),
        AppError::Invalid { .. } => "That question cannot be answered".to_owned(),
        AppError::SignIn => "Sign in first".to_owned(),
        AppError::Forbidden { .. } => "That is not allowed".to_owned(),
        AppError::Gone => "This link does not work any more".to_owned(),
        _ => "Something is wrong".to_owned(),
    };
    view! {
        <Title text=title.clone() />
        <div class="page py-10">
            <h1 class="text-center">{title}</h1>
            <ErrorState error retry=retry.unwrap_or_else(|| Callback::new(|()| page::reload())) />
            <p class="text-center text-sm">
                <a class="link" href="/">
                    "Back to the dashboards"
                </a>
            </p>
        </div>
    }
}
