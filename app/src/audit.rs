//! The audit pages: can this judge be trusted, where is it wrong, is it getting worse, what should people look at?
//! Documents, each from the data of one or two use cases.

mod annotators;
mod card;
mod case;
mod cases;
mod certificates;
mod chart;
pub mod csv;
mod decisions;
mod drift;
mod escalations;
mod gold;
mod investigation;
mod overview;
mod programme;
mod sampling;
mod webhooks;

pub use annotators::annotators;
pub use card::{CardPage, card};
pub use case::{OneEntered, case};
pub use cases::{CaseNotice, ManyEntered, case_address, cases, query};
pub use certificates::certificates;
pub use decisions::decisions;
pub use drift::drift;
pub use escalations::{EscalationEntered, escalations};
pub use gold::{GoldPage, gold};
pub use investigation::investigation;
pub use overview::overview;
pub use programme::{ProgrammePage, programme};
pub use sampling::{SamplingPage, sampling};
pub use webhooks::{WebhooksPage, webhooks};

use crate::document::{Reader, encoded};
use crate::i18n::{audit as w, count};
use concord_domain::Estimate;
use leptos::prelude::*;

/// The address of a card's page, or of what stands beside it.
fn address(page: &str, task: &str, criterion: &str, judge: &str) -> String {
    format!("/audit/{page}?task={}&criterion={}&judge={}", encoded(task), encoded(criterion), encoded(judge))
}

/// The audit's own navigation.
fn tabs(reader: &Reader, current: &str) -> AnyView {
    let t = reader.words();
    let link = |href: &'static str, words: &'static str| {
        let current = (href == current).then_some("page");
        view! { <a href=href aria-current=current>{words}</a> }
    };
    view! {
        <nav class="tasks" aria-label=t(w::TITLE)>
            {link("/audit", t(w::CARDS))}
            {link("/audit/cases", t(crate::i18n::cases::TITLE))}
            {link("/audit/annotators", t(crate::i18n::annotators::TITLE))}
            {link("/audit/certificates", t(w::CERTIFICATES))}
            {link("/audit/drift", t(w::DRIFT))}
            {link("/audit/sampling", t(w::SAMPLING))}
            {link("/audit/programme", t(crate::i18n::programme::TITLE))}
            {link("/audit/webhooks", t(w::WEBHOOKS))}
        </nav>
    }
    .into_any()
}

/// An estimate in figures: value, interval and n; or in words that there is none. The axis runs from `low` to 1.
pub(crate) fn figure(reader: &Reader, of: &Estimate, low: f64) -> AnyView {
    let t = reader.words();
    let Some(est) = of.est else {
        let why = of.why.clone().unwrap_or_default();
        return view! { <span class="quiet small">{t(w::NOT_ESTIMABLE)} ": " {why}</span> }.into_any();
    };
    let interval =
        of.ci.map_or_else(|| t(w::NO_INTERVAL).to_owned(), |(from, to)| format!("{from:.2}–{to:.2}"));
    let n = i64::try_from(of.n).unwrap_or(i64::MAX);
    view! {
        <span class="estimate">{chart::dot(of, low, 1.0)}<b>{format!("{est:.2}")}</b>
            <span class="quiet small">{format!("{interval}, n = {}", count(n))}</span></span>
    }
    .into_any()
}

fn natural(n: u64) -> String {
    count(i64::try_from(n).unwrap_or(i64::MAX))
}
