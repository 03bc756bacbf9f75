//! Keys of programs, one's own and those of services.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{
        Badge, Card, EmptyState, Field, Form, Hidden, RelativeTime, Select, Submit, TableWrap, format, icons,
    },
    model::{
        account::Scope,
        people::{KeyInfo, Team},
    },
};

#[component]
pub fn KeysCard(keys: Vec<KeyInfo>, teams: Vec<Team>, service: bool) -> impl IntoView {
    let (title, lead) = match service {
        true => (
            "Keys of services",
            "They belong to the organization and stay when people leave. Only admins make them.",
        ),
        false => (
            "Your keys",
            "Programs that act as you use them. They end when you leave the organization.",
        ),
    };
    let none = keys.is_empty();
    view! {
        <Card title=title>
            <p class="mb-3 max-w-prose text-sm text-ink-2">{lead}</p>
            {match none {
                true => view! { <EmptyState title="There is no key yet." icon=icons::Key /> }.into_any(),
                false => view! { <KeyTable keys service /> }.into_any(),
            }}
            <Make teams service />
        </Card>
    }
}

#[component]
fn KeyTable(keys: Vec<KeyInfo>, service: bool) -> impl IntoView {
    view! {
        <TableWrap label="Keys">
            <table class="data-table stack-table">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"May"</th>
                        <th scope="col">"Team"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col">"Expires"</th>
                        <th scope="col">
                            <span class="sr-only">"Revoke"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{keys.into_iter().map(|key| view! { <Row key service /> }).collect_view()}</tbody>
            </table>
        </TableWrap>
    }
}

#[component]
fn Row(key: KeyInfo, service: bool) -> impl IntoView {
    let label = format!("Revoke {}", key.name);
    view! {
        <tr>
            <th scope="row" class="stack-head">
                {key.name} <span class="block font-mono text-xs font-normal text-ink-3">{key.public} "_…"</span>
            </th>
            <td class="stack-end">
                <Badge>{scope_words(key.scope)}</Badge>
            </td>
            <td data-label="Team">{key.team.unwrap_or_else(|| "all".into())}</td>
            <td data-label="Last used">
                {match key.last_used_at {
                    Some(at) => view! { <RelativeTime ms=at.millis() /> }.into_any(),
                    None => "never".into_any(),
                }}
            </td>
            <td data-label="Expires">{key.expires_at.map_or_else(|| "never".into(), |at| format::utc(at.millis()))}</td>
            <td class="stack-line text-right">
                <Form action=api::RevokeKey::PATH>
                    <Hidden name="id" value=key.id.to_string() />
                    <Hidden name="service" value=service.to_string() />
                    <Submit class="btn btn-danger" label>
                        "Revoke"
                    </Submit>
                </Form>
            </td>
        </tr>
    }
}

#[component]
fn Make(teams: Vec<Team>, service: bool) -> impl IntoView {
    let scopes: Vec<(String, String)> = Scope::ALL
        .iter()
        .filter(|scope| service || **scope != Scope::Admin)
        .map(|scope| (scope.to_string(), scope_words(*scope).to_owned()))
        .collect();
    let mut team_options = vec![(String::new(), "all".to_owned())];
    team_options.extend(teams.into_iter().map(|team| (team.id.to_string(), team.name)));
    let days = [("90", "90 days"), ("365", "a year"), ("30", "30 days"), ("", "never")];
    let days = days.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    view! {
        <Form action=api::MakeKey::PATH class="mt-4 grid gap-4 border-t border-line pt-4 sm:grid-cols-2 lg:grid-cols-[2fr_1fr_1fr_1fr_auto] lg:items-end">
            <Hidden name="service" value=service.to_string() />
            <Field label="Name of the key" name="name" />
            <Select label="It may" name="scope" options=scopes chosen="ingest" />
            <Select label="Team" name="team" options=team_options chosen="" />
            <Select label="Expires after" name="days" options=days chosen="90" />
            <Submit>"Make a key"</Submit>
        </Form>
    }
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "send events",
        Scope::Read => "read",
        Scope::Write => "read and change",
        Scope::Admin => "all that an admin does",
    }
}
