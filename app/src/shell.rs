//! The document around every page, and the routes.

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::{
    components::{ClockProvider, Footer, Header, NoticeBar, Warnings},
    here,
    live::LiveProvider,
    pages::{
        AccountPage, AskLink, AskReset, Code, Confirm, DashboardPage, Home, InvitationPage, Mailbox, NewPassword,
        NotFound, OrganizationPage, PipelinePage, Pipelines, ReconcilePage, SetUp, SignIn, SignUp, UseLink,
    },
    theme::Theme,
};

/// The HTML document that the server sends around [`App`].
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=Theme::current().attribute()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="description" content="Dash: data pipelines and dashboards that move the moment the data does." />
                <meta name="theme-color" content="#f7f8fa" media="(prefers-color-scheme: light)" />
                <meta name="theme-color" content="#0e1014" media="(prefers-color-scheme: dark)" />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <link rel="stylesheet" href="/pkg/dash.css" />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// All pages. Each is rendered whole before it is sent, so that it reads without a script and carries its status.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    here::provide();
    Effect::new(|_| hydrated());
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Dash".into() } else { format!("{title} · Dash") } />
        <LiveProvider>
            <ClockProvider>
                <Router>
                    <a
                        class="btn btn-primary fixed top-2 left-2 z-50 -translate-y-16 focus:translate-y-0"
                        href="#content"
                        rel="external"
                    >
                        "Skip to the content"
                    </a>
                    <Header />
                    <main id="content" tabindex="-1" class="flex-1 pb-12 outline-none">
                        <NoticeBar />
                        <Warnings />
                        <Routes fallback=NotFound>
                            <Route path=path!("/") view=Home ssr=SsrMode::Async />
                            <Route path=path!("/dashboards/:slug") view=DashboardPage ssr=SsrMode::Async />
                            <Route path=path!("/pipelines") view=Pipelines ssr=SsrMode::Async />
                            <Route path=path!("/pipelines/:slug") view=PipelinePage ssr=SsrMode::Async />
                            <Route path=path!("/reconcile") view=ReconcilePage ssr=SsrMode::Async />
                            <Route path=path!("/sign-in") view=SignIn ssr=SsrMode::Async />
                            <Route path=path!("/sign-in/code") view=Code ssr=SsrMode::Async />
                            <Route path=path!("/sign-in/link") view=AskLink ssr=SsrMode::Async />
                            <Route path=path!("/sign-up") view=SignUp ssr=SsrMode::Async />
                            <Route path=path!("/reset") view=AskReset ssr=SsrMode::Async />
                            <Route path=path!("/reset/new") view=NewPassword ssr=SsrMode::Async />
                            <Route path=path!("/link") view=UseLink ssr=SsrMode::Async />
                            <Route path=path!("/confirm") view=Confirm ssr=SsrMode::Async />
                            <Route path=path!("/set-up") view=SetUp ssr=SsrMode::Async />
                            <Route path=path!("/invitation") view=InvitationPage ssr=SsrMode::Async />
                            <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async />
                            <Route path=path!("/organization") view=OrganizationPage ssr=SsrMode::Async />
                            <Route path=path!("/mailbox") view=Mailbox ssr=SsrMode::Async />
                        </Routes>
                    </main>
                    <Footer />
                </Router>
            </ClockProvider>
        </LiveProvider>
    }
}

/// Tells browser tests that the page listens.
fn hydrated() {
    #[cfg(feature = "hydrate")]
    if let Some(root) = document().document_element() {
        // The name is a constant: it cannot be refused.
        let _ = root.set_attribute("data-hydrated", "");
    }
}
