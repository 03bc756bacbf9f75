//! `/organization`: its people and teams, keys, limits, audit log and settings, as tabs.

mod audit;
mod people;
mod settings;
mod teams;
mod usage;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::{audit::AuditTab, people::PeopleTab, settings::SettingsTab, teams::TeamsTab, usage::UsageTab};
use super::account::KeysCard;
use crate::{
    AppError, api,
    components::{Badge, EmptyState, PageError, PageSkeleton, icons},
    here,
    model::people::{KeyInfo, People, Person, Seat},
    page,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    People,
    Teams,
    Keys,
    Usage,
    Audit,
    Settings,
}

impl Tab {
    const ALL: [Self; 6] = [
        Self::People,
        Self::Teams,
        Self::Keys,
        Self::Usage,
        Self::Audit,
        Self::Settings,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Teams => "teams",
            Self::Keys => "keys",
            Self::Usage => "usage",
            Self::Audit => "audit",
            Self::Settings => "settings",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::People => "People",
            Self::Teams => "Teams",
            Self::Keys => "Keys",
            Self::Usage => "Usage",
            Self::Audit => "Audit log",
            Self::Settings => "Settings",
        }
    }

    fn of(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|tab| tab.word() == word)
            .unwrap_or(Self::People)
    }

    /// Whether everybody in the organization sees it.
    fn is_for_members(self) -> bool {
        matches!(self, Self::People | Self::Teams | Self::Usage | Self::Settings)
    }
}

#[component]
pub fn OrganizationPage() -> impl IntoView {
    view! {
        <Title text="Organization" />
        {match here::person() {
            None => view! { <PageError error=AppError::SignIn /> }.into_any(),
            Some(person) => {
                match person.organization.clone() {
                    Some(seat) => view! { <Tabs person seat /> }.into_any(),
                    None => view! { <NoOrganization /> }.into_any(),
                }
            }
        }}
    }
}

#[component]
fn NoOrganization() -> impl IntoView {
    view! {
        <div class="page py-10">
            <EmptyState title="You belong to no organization." icon=icons::Organization>
                <p>
                    "Ask somebody for an invitation, or "
                    <a class="link" href="/account" rel="external">
                        "make one of your own"
                    </a> "."
                </p>
            </EmptyState>
        </div>
    }
}

#[component]
fn Tabs(person: Person, seat: Seat) -> impl IntoView {
    let query = use_query_map();
    let tab = Memo::new(move |_| query.with(|q| Tab::of(&q.get("tab").unwrap_or_default())));
    let admin = person.is_admin();
    let person = StoredValue::new(person);
    let links = Tab::ALL
        .into_iter()
        .filter(|tab| admin || tab.is_for_members())
        .map(|of| {
            view! {
                <li>
                    <a
                        class="tab"
                        href=format!("/organization?tab={}", of.word())
                        rel="external"
                        aria-current=move || (tab.get() == of).then_some("page")
                    >
                        {of.title()}
                    </a>
                </li>
            }
        });
    view! {
        <div class="page space-y-4 pt-6">
            <div class="flex flex-wrap items-center gap-3">
                <h1>{seat.name}</h1>
                <Badge>{format!("you are {}", article(seat.role.word()))}</Badge>
            </div>
            <nav aria-label="Organization">
                <ul class="flex gap-5 overflow-x-auto border-b border-line">{links.collect_view()}</ul>
            </nav>
            {move || {
                let person = person.get_value();
                match tab.get() {
                    Tab::People => view! { <WithPeople show=move |people| view! { <PeopleTab people person=person.clone() /> }.into_any() /> }.into_any(),
                    Tab::Teams => view! { <WithPeople show=move |people| view! { <TeamsTab people admin /> }.into_any() /> }.into_any(),
                    Tab::Keys => view! { <ServiceKeys /> }.into_any(),
                    Tab::Usage => view! { <UsageTab /> }.into_any(),
                    Tab::Audit => view! { <AuditTab /> }.into_any(),
                    Tab::Settings => view! { <SettingsTab person /> }.into_any(),
                }
            }}
        </div>
    }
}

fn article(word: &str) -> String {
    let n = if word.starts_with(['a', 'o']) { "n" } else { "" };
    format!("a{n} {word}")
}

#[component]
fn WithPeople<F>(show: F) -> impl IntoView
where
    F: Fn(People) -> AnyView + Clone + Send + Sync + 'static,
{
    let people = page::data(|| (), |()| api::list_people());
    view! {
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-64", "h-32"] /> }>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    match people.await {
                        Ok(people) => show(people),
                        Err(error) => view! { <PageError error /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
}

async fn service_keys() -> Result<(Vec<KeyInfo>, People), AppError> {
    Ok((api::list_keys(true).await?, api::list_people().await?))
}

#[component]
fn ServiceKeys() -> impl IntoView {
    let loaded = page::data(|| (), |()| service_keys());
    view! {
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-64", "h-8"] /> }>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok((keys, people)) => view! { <KeysCard keys teams=people.teams service=true /> }.into_any(),
                    Err(error) => view! { <PageError error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}
