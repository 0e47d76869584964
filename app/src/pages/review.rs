//! `/review`: loads the first samples and the day's progress, and hands them to the workspace.

use crate::i18n::common as c;
use crate::pages::SignedIn;
use crate::review::Workspace;
use crate::rpc::review::{get_progress, next_samples};
use crate::session::use_words;
use crate::ui::notice::ErrorView;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The first sample is in the HTML; the second is loaded with it, so that it shows at once.
#[component]
pub(crate) fn ReviewPage() -> impl IntoView {
    let t = use_words();
    view! {
        <Title text=t(c::REVIEW)/>
        <h1 class="visually-hidden">{t(c::REVIEW)}</h1>
        <SignedIn><Loaded/></SignedIn>
    }
    .into_any()
}

#[component]
fn Loaded() -> impl IntoView {
    let query = use_query_map();
    let task = Memo::new(move |_| query.with(|query| query.get("task")).unwrap_or_default());
    let first = Resource::new(
        move || task.get(),
        |task| async move {
            let assignments = next_samples(task.clone(), 2).await?;
            Ok((assignments, get_progress().await?, task))
        },
    );
    let view = move || {
        Suspend::new(async move {
            match first.await {
                Ok((assignments, progress, task)) => {
                    view! { <Workspace assignments progress task/> }.into_any()
                }
                Err(error) => view! { <ErrorView error/> }.into_any(),
            }
        })
    };
    view! { <Suspense fallback=Skeleton>{view}</Suspense> }.into_any()
}

/// Three zones of the final size.
#[component]
fn Skeleton() -> impl IntoView {
    let t = use_words();
    view! {
        <div class="review" aria-busy="true">
            <p class="visually-hidden" role="status">{t(c::LOADING)}</p>
            <div class="zones">
                <div class="zone skeleton"></div><div class="zone skeleton"></div><div class="zone skeleton"></div>
            </div>
        </div>
    }
    .into_any()
}
