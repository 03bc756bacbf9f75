//! Whose something is, and giving it to somebody else.

use leptos::prelude::*;

use super::{
    form::{Form, Hidden, Select, Submit},
    state::{ErrorState, Skeleton},
};
use crate::{api, here, model::TeamId, page};

/// For admins; nothing for others, and nothing where there are no teams.
#[component]
pub fn BelongsTo(
    /// Where the form is posted to.
    action: &'static str,
    /// The field that says what is given.
    name: &'static str,
    #[prop(into)] value: String,
    team: Option<TeamId>,
) -> impl IntoView {
    let admin = here::person().is_some_and(|person| person.is_admin());
    admin.then(|| view! { <Give action name value team /> })
}

#[component]
fn Give(action: &'static str, name: &'static str, value: String, team: Option<TeamId>) -> impl IntoView {
    let people = page::data(|| (), |()| api::list_people());
    let value = StoredValue::new(value);
    view! {
        <Suspense fallback=|| view! { <Skeleton class="h-10" /> }>
            {move || Suspend::new(async move {
                match people.await {
                    Err(error) => view! { <ErrorState error /> }.into_any(),
                    Ok(people) if people.teams.is_empty() => ().into_any(),
                    Ok(people) => {
                        let mut options = vec![(String::new(), "the whole organization".to_owned())];
                        options.extend(people.teams.into_iter().map(|t| (t.id.to_string(), format!("team {}", t.name))));
                        let chosen = team.map(|t| t.to_string()).unwrap_or_default();
                        view! {
                            <Form action class="flex flex-wrap items-end gap-2">
                                <Hidden name value=value.get_value() />
                                <Select label="It belongs to" name="team" options chosen />
                                <Submit class="btn">"Give"</Submit>
                            </Form>
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}
