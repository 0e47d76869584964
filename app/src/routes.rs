//! Every path of the site in one screen.

use crate::pages::{
    exports::ExportsPage, home::HomePage, review::ReviewPage, sample::SamplePage, samples::SamplesPage,
    sign_in::SignInPage,
};
use crate::session::provide_viewer;
use crate::ui::{frame::Header, notice::NotFound};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

/// The whole site. Pages render whole on the server (`SsrMode::Async`), so that they read before
/// and without wasm.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_viewer();
    view! {
        <Title text="Concord" formatter=|text: String| {
            if text == "Concord" { text } else { format!("{text} · Concord") }
        }/>
        <Router>
            <Header/>
            <main id="content" tabindex="-1">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                    <Route path=path!("/review") view=ReviewPage ssr=SsrMode::Async/>
                    <Route path=path!("/samples") view=SamplesPage ssr=SsrMode::Async/>
                    <Route path=path!("/samples/:id") view=SamplePage ssr=SsrMode::Async/>
                    <Route path=path!("/exports") view=ExportsPage ssr=SsrMode::Async/>
                </Routes>
            </main>
        </Router>
    }
}
