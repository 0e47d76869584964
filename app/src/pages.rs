//! One file a route: what it loads and how it is laid out.

pub(crate) mod generation;
pub(crate) mod home;
pub(crate) mod review;

use crate::session::use_viewer;
use leptos::prelude::*;
use leptos_router::components::Redirect;

/// Sends whoever is not signed in to the sign-in page. For comfort only: the use cases refuse.
#[component]
pub(crate) fn SignedIn(children: ChildrenFn) -> impl IntoView {
    if use_viewer().actor.is_some() {
        children().into_any()
    } else {
        view! { <Redirect path="/sign-in"/> }.into_any()
    }
}
