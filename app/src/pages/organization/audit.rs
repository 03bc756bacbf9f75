//! Who did what.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    api,
    components::{Card, EmptyState, Field, PageError, RelativeTime, Skeleton, TableWrap, icons},
    model::people::{AuditEntry, AuditFilter},
    page,
};

/// Entries of a page.
const MANY: usize = 100;

#[component]
pub fn AuditTab() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| {
        query.with(|q| AuditFilter {
            before: q.get("before").and_then(|n| n.parse().ok()),
            action: q.get("action").unwrap_or_default(),
            actor: q.get("actor").unwrap_or_default(),
            target: q.get("target").unwrap_or_default(),
        })
    });
    let entries = page::data(move || filter.get(), api::list_audit);
    view! {
        <Card title="Audit log">
            <Narrow filter=filter.get_untracked() />
            <Suspense fallback=|| view! { <Skeleton class="h-64" /> }>
                {move || Suspend::new(async move {
                    match entries.await {
                        Ok(entries) if entries.is_empty() => {
                            view! { <EmptyState title="There is no such entry." icon=icons::ShieldCheck /> }.into_any()
                        }
                        Ok(entries) => view! { <Entries entries filter=filter.get_untracked() /> }.into_any(),
                        Err(error) => view! { <PageError error /> }.into_any(),
                    }
                })}
            </Suspense>
        </Card>
    }
}

/// A form that needs no script: its fields are the address of the page.
#[component]
fn Narrow(filter: AuditFilter) -> impl IntoView {
    let export = |format: &str| format!("/organization/audit.{format}?{}", address(&filter));
    let (csv, json) = (export("csv"), export("json"));
    view! {
        <form method="get" action="/organization" class="mb-4 grid gap-3 sm:grid-cols-[1fr_1fr_1fr_auto] sm:items-end">
            <input type="hidden" name="tab" value="audit" />
            <Field label="Who" name="actor" value=filter.actor.clone() required=false autocomplete="off" />
            <Field label="Action" name="action" value=filter.action.clone() required=false autocomplete="off" />
            <Field label="What" name="target" value=filter.target.clone() required=false autocomplete="off" />
            <button type="submit" class="btn">
                "Filter"
            </button>
        </form>
        <p class="mb-3 flex flex-wrap gap-4 text-sm">
            <a class="link" href=csv rel="external" download="">
                "Export as CSV"
            </a>
            <a class="link" href=json rel="external" download="">
                "Export as JSON"
            </a>
        </p>
    }
}

fn address(filter: &AuditFilter) -> String {
    let fields = [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("target", &filter.target),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{name}={}", page::encode(value)))
        .collect();
    fields.join("&")
}

#[component]
fn Entries(entries: Vec<AuditEntry>, filter: AuditFilter) -> impl IntoView {
    let older = (entries.len() >= MANY)
        .then(|| {
            entries
                .last()
                .map(|last| format!("/organization?tab=audit&{}&before={}", address(&filter), last.number))
        })
        .flatten();
    view! {
        <TableWrap label="Audit log">
            <table class="data-table stack-table">
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Action"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Before and after"</th>
                    </tr>
                </thead>
                <tbody>{entries.into_iter().map(|entry| view! { <Row entry /> }).collect_view()}</tbody>
            </table>
        </TableWrap>
        {older
            .map(|older| {
                view! {
                    <p class="mt-3">
                        <a class="btn" href=older rel="external">
                            "Older ones"
                        </a>
                    </p>
                }
            })}
    }
}

#[component]
fn Row(entry: AuditEntry) -> impl IntoView {
    let AuditEntry {
        number,
        at,
        actor_name,
        address,
        action,
        target,
        before,
        after,
        ..
    } = entry;
    let changed = [("before", before), ("after", after)];
    let changed = changed
        .into_iter()
        .filter_map(|(word, value)| value.map(|value| (word, value)));
    let changed: Vec<_> = changed.collect();
    view! {
        <tr>
            <th scope="row" class="stack-head font-normal">
                <RelativeTime ms=at.millis() /> <span class="block text-xs font-normal text-ink-3">"#" {number}</span>
            </th>
            <td data-label="Who">
                {actor_name} {address.map(|address| view! { <span class="block text-xs text-ink-3">{address}</span> })}
            </td>
            <td data-label="Action">
                <code>{action}</code>
            </td>
            <td data-label="What" class="break-all">
                {target}
            </td>
            <td class="stack-line">
                {(!changed.is_empty())
                    .then(|| {
                        view! {
                            <details>
                                <summary class="text-sm text-ink-2">"Show"</summary>
                                {changed
                                    .into_iter()
                                    .map(|(word, value)| {
                                        view! {
                                            <p class="mt-2 text-xs text-ink-3">{word}</p>
                                            <pre class="code max-h-64 text-xs break-all whitespace-pre-wrap" tabindex="0">
                                                {value}
                                            </pre>
                                        }
                                    })
                                    .collect_view()}
                            </details>
                        }
                    })}
            </td>
        </tr>
    }
}
