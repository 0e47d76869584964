//! The centre: what is judged, in large type, with what it rests on.

use crate::i18n::{common, review as w};
use crate::session::{use_lang, use_words};
use concord_domain::Sample;
use leptos::prelude::*;

/// Beyond this many characters the text steps down a size, so that it stays on the screen.
const LARGE: usize = 180;

/// The chain interest ► tag ► item ► explanation, the reason, and the context of imported samples.
#[component]
pub(crate) fn SampleZone(sample: Sample) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let kind = common::task(lang, &sample.task);
    let html_lang = if sample.lang == "zh" { "zh-CN" } else { "en" };
    let chain = sample.chain.into_iter().map(|link| {
        view! {
            <li class="link">
                <span class="link-kind">{common::task(lang, &link.kind)}</span>
                <span class="link-text">{link.text}</span>
            </li>
        }
    });
    let stage = sample.stage.map(|stage| match stage.as_str() {
        "long_term" => t(w::LONG_TERM).to_owned(),
        "current" => t(w::CURRENT).to_owned(),
        _ => stage,
    });
    let size = if sample.text.chars().count() > LARGE { "judged long" } else { "judged" };
    let reason = sample.reason.filter(|reason| !reason.is_empty()).map(|reason| {
        view! { <section class="reason"><h3>{t(w::REASON)}</h3><p lang=html_lang>{reason}</p></section> }
    });
    let context = (!sample.context.is_empty()).then(|| {
        let pairs = sample.context.into_iter().map(|(name, text)| {
            view! { <div><dt>{name}</dt><dd>{text}</dd></div> }
        });
        view! {
            <section class="context"><h3>{t(w::CONTEXT)}</h3><dl>{pairs.collect_view()}</dl></section>
        }
    });
    view! {
        <section class="zone zone-sample" aria-labelledby="sample-zone" data-testid="review-sample"
            tabindex="0">
            <h2 id="sample-zone" class="visually-hidden">{t(w::SAMPLE_ZONE)}</h2>
            <ol class="chain">
                {chain.collect_view()}
                <li class="link now">
                    <span class="link-kind">{kind}{stage.map(|stage| view! { <span class="stage">{stage}</span> })}</span>
                    <p class=size lang=html_lang>{sample.text}</p>
                </li>
            </ol>
            {reason}
            {context}
        </section>
    }
    .into_any()
}
