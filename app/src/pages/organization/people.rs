//! Members and invitations.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Badge, Card, Field, Form, Hidden, Select, Submit, TableWrap, Tone, format},
    model::{
        account::OrganizationRole,
        people::{Invitation, Member, People, Person},
    },
};

#[component]
pub fn PeopleTab(people: People, person: Person) -> impl IntoView {
    let admin = person.is_admin();
    let owner = person.is_owner();
    let me = person.id;
    view! {
        <Card title="Members">
            <TableWrap label="Members">
                <table class="data-table stack-table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Role"</th>
                            <th scope="col">"Joined"</th>
                            <th scope="col">
                                <span class="sr-only">"Change"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {people
                            .members
                            .into_iter()
                            .map(|member| {
                                let this = member.user == me;
                                view! { <Row member this admin owner /> }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </TableWrap>
        </Card>
        {people.invitations.map(|invitations| view! { <Invitations invitations owner /> })}
    }
}

#[component]
fn Row(member: Member, this: bool, admin: bool, owner: bool) -> impl IntoView {
    let Member {
        user,
        name,
        email,
        role,
        joined_at,
    } = member;
    // Only owners change owners; the server says so too.
    let may = admin && !this && (owner || role != OrganizationRole::Owner);
    let remove = format!("Remove {name}");
    let change = format!("Change the role of {name}");
    view! {
        <tr>
            <th scope="row" class="stack-head">
                <span class="flex flex-wrap items-center gap-2">
                    {name} {this.then(|| view! { <Badge tone=Tone::Accent>"you"</Badge> })}
                </span>
                <span class="block text-xs font-normal text-ink-2">{email}</span>
            </th>
            <td class="stack-end">
                <Badge>{role.word()}</Badge>
            </td>
            <td data-label="Joined">{day(joined_at.millis())}</td>
            <td class="stack-line">
                {may
                    .then(|| {
                        view! {
                            <div class="flex flex-wrap items-end gap-2 sm:justify-end">
                                <Form action=api::SetRole::PATH class="flex items-end gap-2">
                                    <Hidden name="user" value=user.to_string() />
                                    <Select label=change.clone() name="role" options=roles(owner) chosen=role.word() quiet=true of=user.to_string() />
                                    <Submit class="btn" label=change>
                                        "Change"
                                    </Submit>
                                </Form>
                                <Form action=api::RemoveMember::PATH>
                                    <Hidden name="user" value=user.to_string() />
                                    <Submit class="btn btn-danger" label=remove>
                                        "Remove"
                                    </Submit>
                                </Form>
                            </div>
                        }
                    })}
            </td>
        </tr>
    }
}

/// The roles that somebody may give.
fn roles(owner: bool) -> Vec<(String, String)> {
    let all = OrganizationRole::ALL
        .iter()
        .filter(|role| owner || **role != OrganizationRole::Owner);
    all.map(|role| (role.to_string(), role.to_string())).collect()
}

#[component]
fn Invitations(invitations: Vec<Invitation>, owner: bool) -> impl IntoView {
    view! {
        <Card title="Invitations">
            <ul class="divide-y divide-line">
                {invitations
                    .into_iter()
                    .map(|invitation| {
                        let label = format!("Revoke the invitation of {}", invitation.email);
                        view! {
                            <li class="flex flex-wrap items-center justify-between gap-3 py-3 text-sm">
                                <div class="min-w-0">
                                    <p class="font-medium break-all">{invitation.email}</p>
                                    <p class="text-xs text-ink-2">
                                        {format!("as {}, open until {}", invitation.role, day(invitation.expires_at.millis()))}
                                    </p>
                                </div>
                                <Form action=api::RevokeInvitation::PATH>
                                    <Hidden name="id" value=invitation.id.to_string() />
                                    <Submit class="btn btn-danger" label>
                                        "Revoke"
                                    </Submit>
                                </Form>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            <Form action=api::Invite::PATH class="mt-3 grid gap-4 sm:grid-cols-[2fr_1fr_auto] sm:items-end">
                <Field label="E-mail address" name="email" kind="email" autocomplete="off" />
                <Select label="Role" name="role" options=roles(owner) chosen="member" />
                <Submit>"Invite"</Submit>
            </Form>
        </Card>
    }
}

/// The time of day says nothing here.
fn day(ms: i64) -> String {
    let text = format::utc(ms);
    text.split(' ').next().unwrap_or_default().to_owned()
}
