//! Its name, leaving it, handing it on, deleting it.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Card, Field, Form, PageError, Select, Skeleton, Submit, format},
    model::people::Person,
    page,
};

#[component]
pub fn SettingsTab(person: Person) -> impl IntoView {
    let seat = person.organization.clone();
    let (admin, owner) = (person.is_admin(), person.is_owner());
    let (name, delete_at) = seat.map(|seat| (seat.name, seat.delete_at)).unwrap_or_default();
    let me = person.id;
    let typed = format!("Type \"{name}\" to delete it");
    view! {
        {admin
            .then(|| {
                view! {
                    <Card title="Name">
                        <Form action=api::RenameOrganization::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                            <Field label="Name of the organization" name="name" value=name autocomplete="organization" />
                            <Submit>"Save"</Submit>
                        </Form>
                    </Card>
                }
            })}
        {owner.then(|| view! { <HandOn me /> })}
        <Card title="Leave">
            <p class="mb-3 max-w-prose text-sm text-ink-2">
                "Your places in its teams and your keys end. Somebody has to invite you to come back."
            </p>
            <Form action=api::LeaveOrganization::PATH>
                <Submit class="btn btn-danger">"Leave this organization"</Submit>
            </Form>
        </Card>
        {owner
            .then(|| {
                view! {
                    <Card title="Delete">
                        {match delete_at {
                            Some(at) => {
                                view! {
                                    <p class="mb-3 text-sm text-ink-2">
                                        {format!("Everything of it will be deleted on {}.", format::utc(at.millis()))}
                                    </p>
                                    <Form action=api::KeepOrganization::PATH>
                                        <Submit class="btn">"Keep it"</Submit>
                                    </Form>
                                }
                                    .into_any()
                            }
                            None => {
                                view! {
                                    <p class="mb-3 max-w-prose text-sm text-ink-2">
                                        "Its pipelines, dashboards, events and people's places in it end after 14 days. Until then an owner can keep it."
                                    </p>
                                    <Form action=api::DeleteOrganization::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                                        <Field
                                            label=typed
                                            name="name"
                                            autocomplete="off"
                                        />
                                        <Submit class="btn btn-danger">"Delete this organization"</Submit>
                                    </Form>
                                }
                                    .into_any()
                            }
                        }}
                    </Card>
                }
            })}
    }
}

#[component]
fn HandOn(me: crate::model::UserId) -> impl IntoView {
    let people = page::data(|| (), |()| api::list_people());
    view! {
        <Card title="Hand it on">
            <p class="mb-3 max-w-prose text-sm text-ink-2">
                "Makes somebody else the owner, and you an admin. To have several owners, change their roles instead."
            </p>
            <Suspense fallback=|| view! { <Skeleton class="h-10" /> }>
                {move || Suspend::new(async move {
                    match people.await {
                        Err(error) => view! { <PageError error /> }.into_any(),
                        Ok(people) => {
                            let others: Vec<(String, String)> = people
                                .members
                                .into_iter()
                                .filter(|member| member.user != me)
                                .map(|member| (member.user.to_string(), format!("{} ({})", member.name, member.email)))
                                .collect();
                            match others.is_empty() {
                                true => view! { <p class="text-sm text-ink-3">"There is nobody else yet."</p> }.into_any(),
                                false => {
                                    view! {
                                        <Form action=api::HandOn::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                                            <Select label="To whom" name="user" options=others />
                                            <Submit class="btn btn-danger">"Hand it on"</Submit>
                                        </Form>
                                    }
                                        .into_any()
                                }
                            }
                        }
                    }
                })}
            </Suspense>
        </Card>
    }
}
