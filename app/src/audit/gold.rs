//! `/audit/gold/{sample}`: the right answers of one sample.

use super::tabs;
use crate::document::{Reader, encoded};
use crate::i18n::programme as w;
use crate::review::{SampleZone, UserZone};
use crate::ui::icon::Mark;
use concord_domain::{Criterion, Error, GoldAnswer, SampleDetail};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct GoldPage {
    /// The sample with its rubric.
    pub detail: SampleDetail,
    /// What is set, or was entered.
    pub answers: Vec<GoldAnswer>,
    /// Why what was entered is refused.
    pub refused: Option<Error>,
}

/// The page.
#[must_use]
pub fn gold(reader: &Reader, page: &GoldPage) -> String {
    let t = reader.words();
    reader.render(t(w::ONE_GOLD), || {
        let sample = page.detail.sample.clone();
        let back = format!("/audit/programme?task={}", encoded(&sample.task));
        let whole = format!("/samples/{}", sample.id);
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::ONE_GOLD)}</h1>{tabs(reader, "")}</div>
                <p class="small"><a href=back>"← " {t(w::TITLE)}</a> " · " <a href=whole>{t(crate::i18n::cases::WHOLE_SAMPLE)}</a></p>
                <div class="columns">
                    <div class="stack">
                        <div class="card case-sample"><SampleZone sample=sample.clone()/></div>
                        <UserZone sample/>
                    </div>
                    {form(reader, page)}
                </div>
            </div>
        }
        .into_any()
    })
}

fn form(reader: &Reader, page: &GoldPage) -> AnyView {
    let t = reader.words();
    let trouble = page.refused.as_ref().map(|error| {
        let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let known = |name: &str| page.answers.iter().find(|answer| answer.criterion == name);
    let criteria = page.detail.rubric.criteria.iter().map(|of| criterion(reader, of, known(&of.name)));
    view! {
        <form method="post" action=format!("/audit/gold/{}", page.detail.sample.id) class="card stack" data-testid="gold-form">
            <h2>{t(w::RIGHT)}</h2>
            <p class="quiet">{t(w::ONE_HINT)} " " {t(w::ADJUDICATED_HINT)}</p>
            {trouble}
            {criteria.collect_view()}
            <div class="buttons"><button class="primary">{t(w::SAVE)}</button></div>
        </form>
    }
    .into_any()
}

fn criterion(reader: &Reader, of: &Criterion, known: Option<&GoldAnswer>) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang().as_str());
    let labels = of.labels.iter().map(|label| {
        let title = label.title.get(lang);
        let title = if title.is_empty() { label.name.as_str() } else { title }.to_owned();
        let checked = known.is_some_and(|known| known.label == label.name);
        view! { <label class="choice"><input type="radio" name=format!("label.{}", of.name) value=label.name.clone() checked=checked/>
            <Mark pass=label.pass/>{title}</label> }
    });
    let reason = known.map(|known| known.reason.clone()).unwrap_or_default();
    view! {
        <fieldset class="choices"><legend>{of.question.get(lang).to_owned()}</legend>
            {labels.collect_view()}
            <label class="field"><span>{t(w::REASON)}</span>
                <textarea name=format!("reason.{}", of.name) rows="2" maxlength="2000">{reason}</textarea></label>
        </fieldset>
    }
    .into_any()
}
