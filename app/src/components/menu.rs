//! Who is signed in, and where they can go; or the way in.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_location;

use super::{
    form::{Form, Hidden, Submit},
    icon::{Icon, icons},
};
use crate::{
    api::{SignOut, SwitchOrganization},
    here,
    model::people::{Person, Seat},
    page,
};

/// A menu that opens without a script.
#[component]
pub fn AccountMenu() -> impl IntoView {
    match here::person() {
        Some(person) => view! { <Menu person /> }.into_any(),
        None => view! { <WayIn /> }.into_any(),
    }
}

#[component]
fn WayIn() -> impl IntoView {
    let location = use_location();
    let href = move || {
        let (path, query) = (location.pathname.get(), location.search.get());
        let to = format!("{path}{}{query}", if query.is_empty() { "" } else { "?" });
        match path.starts_with("/sign") || path == "/" {
            true => "/sign-in".to_owned(),
            false => format!("/sign-in?to={}", page::encode(&to)),
        }
    };
    (!here::ways().set_up).then(|| {
        view! {
            <a class="btn" href=href rel="external">
                "Sign in"
            </a>
        }
    })
}

#[component]
fn Menu(person: Person) -> impl IntoView {
    let organization = person.organization.clone();
    let current = organization.as_ref().map(|seat| seat.id);
    let others: Vec<Seat> = person
        .organizations
        .iter()
        .filter(|seat| Some(seat.id) != current)
        .cloned()
        .collect();
    let initial: String = person.name.chars().take(1).collect::<String>().to_uppercase();
    let mailbox = here::ways().mailbox;
    view! {
        <details class="menu">
            <summary class="inline-flex size-10 items-center justify-center rounded-full" aria-label="Account and organization">
                <span class="inline-flex size-8 items-center justify-center rounded-full bg-accent-soft text-sm font-semibold text-accent">
                    {initial}
                </span>
            </summary>
            <div class="menu-body">
                <div class="border-b border-line px-3 py-2">
                    <p class="truncate font-medium">{person.name}</p>
                    <p class="truncate text-xs text-ink-2">{person.email}</p>
                </div>
                <a class="menu-item" href="/account" rel="external">
                    <Icon icon=icons::Person />
                    "Account"
                </a>
                {organization
                    .map(|seat| {
                        view! {
                            <a class="menu-item" href="/organization" rel="external">
                                <Icon icon=icons::Organization />
                                <span class="truncate">{seat.name}</span>
                            </a>
                        }
                    })}
                {mailbox
                    .then(|| {
                        view! {
                            <a class="menu-item" href="/mailbox" rel="external">
                                <Icon icon=icons::Mail />
                                "Mailbox"
                            </a>
                        }
                    })}
                {(!others.is_empty())
                    .then(|| {
                        view! {
                            <p class="border-t border-line px-3 pt-2 text-xs text-ink-3">"Switch to"</p>
                            {others.into_iter().map(|seat| view! { <Switch seat /> }).collect_view()}
                        }
                    })}
                <Form action=SignOut::PATH class="border-t border-line">
                    <Submit class="menu-item w-full">
                        <Icon icon=icons::SignOut />
                        "Sign out"
                    </Submit>
                </Form>
            </div>
        </details>
    }
}

#[component]
fn Switch(seat: Seat) -> impl IntoView {
    view! {
        <Form action=SwitchOrganization::PATH>
            <Hidden name="organization" value=seat.id.to_string() />
            <Submit class="menu-item w-full">
                <Icon icon=icons::Organization />
                <span class="truncate">{seat.name}</span>
            </Submit>
        </Form>
    }
}
