//! Inline icons: 16 × 16, drawn in the text's colour, hidden from screen readers beside their word.

use concord_domain::BehaviourKind;
use leptos::prelude::*;

/// The tick of pass and the cross of fail: shape, not only colour.
#[component]
pub(crate) fn Mark(pass: bool) -> impl IntoView {
    let (class, path) =
        if pass { ("mark pass", "M3 8.5l3.5 3.5L13 4.5") } else { ("mark fail", "M4 4l8 8M12 4l-8 8") };
    view! {
        <svg class=class viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d=path/></svg>
    }
}

/// One icon a kind of behaviour.
#[component]
pub(crate) fn KindIcon(kind: BehaviourKind) -> impl IntoView {
    let path = match kind {
        BehaviourKind::Search => "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9M10.5 10.5L14 14",
        BehaviourKind::View => "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8M8 6.5v3",
        BehaviourKind::DetailView => "M3.5 1.5h6l3 3v10h-9zM6 7h4M6 10h4",
        BehaviourKind::ReviewRead => "M2 2.5h12v8H7l-3 3v-3H2zM5 5.5h6M5 7.5h4",
        BehaviourKind::Favourite => "M8 13.5L2.6 8a3.2 3.2 0 014.5-4.6L8 4.4l.9-1A3.2 3.2 0 0113.4 8z",
        BehaviourKind::Cart => "M1 2h2.2l1.6 8.2h7.4L14 4.5H4M6 13.5v.1M11 13.5v.1",
        BehaviourKind::Purchase => "M3 5.5h10l-.8 8.5H3.8zM5.5 7.5V4a2.5 2.5 0 015 0v3.5",
    };
    view! {
        <svg class="kind-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d=path/></svg>
    }
}
