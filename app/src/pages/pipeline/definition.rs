//! What would make this pipeline again.

use leptos::prelude::*;

use crate::{components::CodeBlock, model::pipeline::Pipeline};

#[component]
pub fn Definition(pipeline: Pipeline) -> impl IntoView {
    let json = serde_json::to_string_pretty(&pipeline.definition())
        .expect("a definition has text keys only, and was read from JSON");
    view! {
        <div class="p-4">
            <p class="mb-3 text-sm text-ink-2">
                "This makes the same pipeline on another server: "
                <code class="text-ink">"server pipelines create --file pipeline.json"</code>
            </p>
            <CodeBlock code=json label="definition" />
        </div>
    }
}
