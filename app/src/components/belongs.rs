//! Whose something is, and giving it to somebody else.

use leptos::prelude::*;

use super::form::{Form, Hidden, Select, Submit};
use crate::{
    api, here,
    model::{TeamId, people::Team},
};

/// Whether who looks at this page gives things to teams.
pub fn gives() -> bool {
    here::person().is_some_and(|person| person.is_admin())
}

/// To whom something can be given, for the data of a page; `gives` is [`gives`]'s. Where they cannot be had the page does without.
pub async fn teams(gives: bool) -> Vec<Team> {
    match gives {
        true => api::list_people().await.map(|people| people.teams).unwrap_or_default(),
        false => Vec::new(),
    }
}

/// Nothing where there are no teams.
#[component]
pub fn BelongsTo(
    /// Where the form is posted to.
    action: &'static str,
    /// The field that says what is given.
    name: &'static str,
    #[prop(into)] value: String,
    team: Option<TeamId>,
    teams: Vec<Team>,
) -> impl IntoView {
    let some = !teams.is_empty();
    let mut options = vec![(String::new(), "the whole organization".to_owned())];
    options.extend(
        teams
            .into_iter()
            .map(|t| (t.id.to_string(), format!("team {}", t.name))),
    );
    let chosen = team.map(|t| t.to_string()).unwrap_or_default();
    some.then(|| {
        view! {
            <Form action class="flex flex-wrap items-end gap-2 border-t border-line p-4">
                <Hidden name value />
                <Select label="It belongs to" name="team" options chosen />
                <Submit class="btn">"Give"</Submit>
            </Form>
        }
    })
}
