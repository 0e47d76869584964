//! The pages of the pipeline: how far its batches are, and the preset interests that mining may match.

mod batches;
mod pool;

pub use batches::{BatchesPage, batches};
pub use pool::{PoolPage, pool};

use crate::document::Reader;
use crate::i18n::pipeline as w;
use leptos::prelude::*;

/// The pipeline's own navigation.
pub(crate) fn tabs(reader: &Reader, current: &str) -> AnyView {
    let t = reader.words();
    let link = |href: &'static str, words: &'static str| {
        let current = (href == current).then_some("page");
        view! { <a href=href aria-current=current>{words}</a> }
    };
    view! {
        <nav class="tasks" aria-label=t(w::TITLE)>
            {link("/pipeline", t(w::BATCHES))}
            {link("/pipeline/interests", t(w::POOL))}
            {link("/evolve", t(crate::i18n::evolve::TITLE))}
        </nav>
    }
    .into_any()
}
