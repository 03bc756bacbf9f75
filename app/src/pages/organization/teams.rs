//! Teams, and who is in them.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Badge, Card, EmptyState, Field, Form, Hidden, Select, Submit, icons},
    model::{
        account::TeamRole,
        people::{Member, People, Team, TeamMember},
    },
};

#[component]
pub fn TeamsTab(people: People, admin: bool) -> impl IntoView {
    let People { members, teams, .. } = people;
    let none = teams.is_empty();
    view! {
        <p class="max-w-prose text-sm text-ink-2">
            "What belongs to a team is seen by its members alone, and by admins. What belongs to no team is seen by everybody in the organization."
        </p>
        {none
            .then(|| {
                view! {
                    <div class="card">
                        <EmptyState title="There is no team yet." icon=icons::Team />
                    </div>
                }
            })}
        <div class="grid gap-4 lg:grid-cols-2">
            {teams
                .into_iter()
                .map(|team| {
                    let members = members.clone();
                    view! { <TeamCard team members admin /> }
                })
                .collect_view()}
        </div>
        {admin
            .then(|| {
                view! {
                    <Card title="New team">
                        <Form action=api::MakeTeam::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                            <Field label="Name" name="name" autocomplete="off" />
                            <Submit>"Make it"</Submit>
                        </Form>
                    </Card>
                }
            })}
    }
}

#[component]
fn TeamCard(team: Team, members: Vec<Member>, admin: bool) -> impl IntoView {
    let Team {
        id,
        name,
        members: within,
    } = team;
    let outside: Vec<(String, String)> = members
        .into_iter()
        .filter(|member| within.iter().all(|m| m.user != member.user))
        .map(|member| (member.user.to_string(), format!("{} ({})", member.name, member.email)))
        .collect();
    let delete = format!("Delete the team {name}");
    let team = id.to_string();
    view! {
        <Card>
            <div class="mb-3 flex items-center justify-between gap-3">
                <h2>{name}</h2>
                {admin
                    .then(|| {
                        view! {
                            <Form action=api::DeleteTeam::PATH>
                                <Hidden name="team" value=id.to_string() />
                                <Submit class="btn btn-danger" label=delete>
                                    "Delete"
                                </Submit>
                            </Form>
                        }
                    })}
            </div>
            {within.is_empty().then(|| view! { <p class="text-sm text-ink-3">"Nobody is in it yet."</p> })}
            <ul class="divide-y divide-line">
                {within.into_iter().map(|member| view! { <Row team=id.to_string() member admin /> }).collect_view()}
            </ul>
            {(admin && !outside.is_empty())
                .then(|| {
                    view! {
                        <Form action=api::SetTeamMember::PATH class="mt-3 grid gap-3 border-t border-line pt-3 sm:grid-cols-[2fr_1fr_auto] sm:items-end">
                            <Hidden name="team" value=team.clone() />
                            <Select label="Person" name="user" options=outside of=team.clone() />
                            <Select label="Role" name="role" options=roles() of=team.clone() />
                            <Submit class="btn">"Add"</Submit>
                        </Form>
                    }
                })}
        </Card>
    }
}

#[component]
fn Row(team: String, member: TeamMember, admin: bool) -> impl IntoView {
    let TeamMember {
        user,
        name,
        email,
        role,
    } = member;
    let (of, same) = (format!("{team}{user}"), team.clone());
    let change = format!("Change the role of {name} in this team");
    let remove = format!("Take {name} out of this team");
    view! {
        <li class="flex flex-wrap items-center justify-between gap-2 py-2 text-sm">
            <div class="min-w-0">
                <p class="font-medium">{name}</p>
                <p class="truncate text-xs text-ink-2">{email}</p>
            </div>
            {match admin {
                false => view! { <Badge>{role.word()}</Badge> }.into_any(),
                true => {
                    view! {
                        <div class="flex flex-wrap items-end gap-2">
                            <Form action=api::SetTeamMember::PATH class="flex items-end gap-2">
                                <Hidden name="team" value=team.clone() />
                                <Hidden name="user" value=user.to_string() />
                                <Select label=change.clone() name="role" options=roles() chosen=role.word() quiet=true of />
                                <Submit class="btn" label=change>
                                    "Change"
                                </Submit>
                            </Form>
                            <Form action=api::RemoveTeamMember::PATH>
                                <Hidden name="team" value=same />
                                <Hidden name="user" value=user.to_string() />
                                <Submit class="btn btn-danger" label=remove>
                                    "Take out"
                                </Submit>
                            </Form>
                        </div>
                    }
                        .into_any()
                }
            }}
        </li>
    }
}

fn roles() -> Vec<(String, String)> {
    TeamRole::ALL
        .iter()
        .map(|role| (role.to_string(), role.to_string()))
        .collect()
}
