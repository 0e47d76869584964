//! The paths that the browser takes over; the rest of the site is documents, routed by the server.

use crate::pages::{home::HomePage, review::ReviewPage};
use crate::session::provide_viewer;
use crate::ui::{frame::Header, notice::NotFound};
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

/// The hydrated pages. They render whole on the server (`SsrMode::Async`), so that they read before
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
                    <Route path=path!("/review") view=ReviewPage ssr=SsrMode::Async/>
                </Routes>
            </main>
        </Router>
    }
}
