//! `/audit/escalations`: what the guideline does not decide, as people sent it; each ends in a rubric version or
//! an explicit "won't".

use super::tabs;
use crate::document::Reader;
use crate::i18n::{audit as aw, cases as w, common, moment};
use concord_domain::{Error, Escalation};
use leptos::prelude::*;

/// What was entered to end one.
#[derive(Debug, Clone, Default)]
pub struct EscalationEntered {
    /// Which.
    pub id: String,
    /// `guideline` or `wont`.
    pub outcome: String,
    /// The note.
    pub note: String,
    /// The rubric version.
    pub rubric: String,
}

/// The page; after a refusal with what was entered and why.
#[must_use]
pub fn escalations(
    reader: &Reader,
    all: &[Escalation],
    refused: Option<&(EscalationEntered, Error)>,
) -> String {
    let t = reader.words();
    reader.render(t(w::ESCALATIONS), || {
        let body = if all.is_empty() {
            view! { <section class="card"><p>{t(w::NO_ESCALATIONS)}</p></section> }.into_any()
        } else {
            all.iter().map(|it| escalation(reader, it, refused)).collect_view().into_any()
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::ESCALATIONS)}</h1>{tabs(reader, "/audit/cases")}</div>
                <p class="quiet">{t(w::ESCALATIONS_HINT)}</p>
                <p class="small"><a href="/audit/cases?state=escalated">{t(w::ESCALATED_CASES)}</a></p>
                {body}
            </div>
        }
        .into_any()
    })
}

fn escalation(reader: &Reader, of: &Escalation, refused: Option<&(EscalationEntered, Error)>) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let refused = refused.filter(|(entered, _)| entered.id == of.id.to_string());
    let entered = refused.map(|(entered, _)| entered.clone()).unwrap_or_default();
    let trouble = refused.map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(lang);
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let end = if let Some(outcome) = &of.outcome {
        let words = t(if outcome == "wont" { w::WONT } else { w::GUIDELINE });
        view! { <p><b>{words}</b> " " {of.rubric.clone()} " · " {of.note.clone()} <span class="quiet">" · " {of.resolved_by.clone()}</span></p> }.into_any()
    } else {
        let option = |value: &'static str, words: &'static str| {
            view! { <option value=value selected=entered.outcome == value>{words}</option> }
        };
        view! {
            <form method="post" action=format!("/audit/escalations/{}", of.id) class="inline-form">
                {trouble}
                <label class="field"><span>{t(w::HOW_IT_ENDS)}</span><select name="outcome">
                    {option("guideline", t(w::GUIDELINE))}{option("wont", t(w::WONT))}</select></label>
                <label class="field"><span>{t(aw::RUBRIC)}</span><input type="text" name="rubric" value=entered.rubric.clone()/></label>
                <label class="field note"><span>{t(w::NOTE)}</span><input type="text" name="note" maxlength="4000" value=entered.note.clone()/></label>
                <button>{t(w::END_IT)}</button>
            </form>
        }
        .into_any()
    };
    view! {
        <section class="card" data-testid="escalation">
            <h2><a href=format!("/samples/{}", of.sample)>{of.text.clone()}</a></h2>
            <p>{of.reason.clone()}</p>
            <p class="quiet small">{common::task(lang, &of.task)} " · " {of.by.clone()} " · " {moment(lang, of.at)}</p>
            {end}
        </section>
    }
    .into_any()
}
