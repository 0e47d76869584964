//! `/audit/cases/{sample}/{criterion}`: all there is to decide one case by, and the form that decides.

use super::cases::{case_address, query};
use super::tabs;
use crate::document::Reader;
use crate::i18n::{cases as w, common, moment};
use crate::review::SampleZone;
use crate::ui::icon::Mark;
use concord_domain::{
    Adjudication, CaseDetail, CaseFilter, CaseVote, Criterion, Error, Phase, Reason, Verdict,
};
use leptos::prelude::*;

/// What was entered to decide on one.
#[derive(Debug, Clone, Default)]
pub struct OneEntered {
    /// `pass:LABEL`, `fail:LABEL` or `ambiguous`.
    pub decision: String,
    /// A reason's word.
    pub reason: String,
    /// The note.
    pub note: String,
}

/// The page; after a refusal with what was entered and why.
#[must_use]
pub fn case(
    reader: &Reader,
    filter: &CaseFilter,
    detail: &CaseDetail,
    decided: Option<u32>,
    refused: Option<&(OneEntered, Error)>,
) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let word = lang.as_str();
    let title = detail.criterion.title.get(word).to_owned();
    reader.render(&format!("{title} · {}", t(w::CASE)), || {
        let back = format!("/audit/cases?{}", query(filter, true));
        let whole = format!("/samples/{}", detail.sample.id);
        let stored = decided.map(|n| {
            view! { <p class="notice" role="status" data-testid="decided">{w::decided(lang, n)}</p> }
        });
        let form = if detail.own {
            view! { <p class="warning card" data-testid="own">{t(w::OWN)}</p> }.into_any()
        } else {
            form(reader, filter, detail, refused)
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{title.clone()} " · " <span class="quiet">{common::task(lang, &detail.sample.task)}</span></h1>{tabs(reader, "")}</div>
                <p class="small"><a href=back>"← " {t(w::BACK)}</a> " · " <a href=whole>{t(w::WHOLE_SAMPLE)}</a></p>
                {stored}
                <div class="columns">
                    <div class="stack">
                        <div class="card case-sample"><SampleZone sample=detail.sample.clone()/></div>
                        {votes(reader, detail)}
                        {verdicts(reader, detail)}
                        {earlier(reader, detail)}
                    </div>
                    <div class="stack">{guideline(reader, &detail.criterion, &detail.rubric)}{form}</div>
                </div>
            </div>
        }
        .into_any()
    })
}

fn guideline(reader: &Reader, of: &Criterion, rubric: &str) -> AnyView {
    let t = reader.words();
    let lang = reader.lang().as_str();
    let line = |pass: bool, text: &str| {
        (!text.is_empty()).then(|| {
            let words = t(if pass { w::PASSES_WHEN } else { w::FAILS_WHEN });
            let text = text.to_owned();
            view! { <p><Mark pass/>" "<b>{words}</b>" "{text}</p> }
        })
    };
    let examples = (!of.examples.is_empty()).then(|| {
        let all = of.examples.iter().map(|example| {
            view! { <li><b>{label_words(of, &example.label, lang).0}</b>": " {example.text.get(lang).to_owned()}
                <div class="quiet small">{example.why.get(lang).to_owned()}</div></li> }
        });
        view! { <details><summary>{t(w::EXAMPLES)}</summary><ul class="plain">{all.collect_view()}</ul></details> }
    });
    view! {
        <section class="card" aria-labelledby="guideline">
            <h2 id="guideline">{of.question.get(lang).to_owned()}</h2>
            {line(true, of.pass.get(lang))}
            {line(false, of.fail.get(lang))}
            {examples}
            <p class="quiet small">{t(crate::i18n::audit::RUBRIC)} " " {rubric.to_owned()}</p>
        </section>
    }
    .into_any()
}

/// The shown word of a label, and its side.
fn label_words(of: &Criterion, label: &str, lang: &str) -> (String, Option<bool>) {
    let found = of.label(label);
    let title = found.map(|it| it.title.get(lang)).filter(|title| !title.is_empty()).unwrap_or(label);
    (title.to_owned(), found.map(|it| it.pass))
}

fn answer(of: &Criterion, label: &str, pass: Option<bool>, lang: &str) -> AnyView {
    let (words, side) = label_words(of, label, lang);
    let mark = pass.or(side).map(|pass| view! { <Mark pass/> });
    view! { <span class="side">{mark}{words}</span> }.into_any()
}

fn votes(reader: &Reader, detail: &CaseDetail) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let row = |vote: &CaseVote| {
        let phase = t(if vote.phase == Phase::Blind { w::BLIND } else { w::REVISED });
        view! { <tr><th scope="row" class="judge-name">{vote.rater.clone()}</th>
        <td>{answer(&detail.criterion, &vote.label, Some(vote.pass), lang.as_str())}</td>
        <td>{phase}</td><td class="wide">{vote.comment.clone()}</td><td class="quiet nowrap">{moment(lang, vote.at)}</td></tr> }
    };
    let body = if detail.votes.is_empty() {
        view! { <p class="quiet">{t(w::NO_ANSWERS)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table data-testid="case-votes">
                <thead><tr><th scope="col">{t(w::WHO)}</th><th scope="col">{t(w::ANSWER)}</th><th scope="col">{t(w::PHASE)}</th>
                    <th scope="col">{t(w::COMMENT)}</th><th scope="col">{t(w::WHEN)}</th></tr></thead>
                <tbody>{detail.votes.iter().map(row).collect_view()}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { <section class="card" aria-labelledby="answers"><h2 id="answers">{t(w::ANSWERS)}</h2>{body}</section> }
        .into_any()
}

fn verdicts(reader: &Reader, detail: &CaseDetail) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang().as_str());
    let row = |verdict: &Verdict| {
        let label = verdict.label.clone().unwrap_or_else(|| "–".into());
        view! { <tr><td>{answer(&detail.criterion, &label, None, lang)}</td>
        <td class="number">{verdict.p_pass.map(|p| format!("{p:.3}"))}</td>
        <td class="wide">{verdict.rationale.clone()}</td><td class="quiet judge-name">{verdict.judge.clone()}</td></tr> }
    };
    let body = if detail.verdicts.is_empty() {
        view! { <p class="quiet">{t(w::NO_VERDICTS)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::ANSWER)}</th><th scope="col" class="number">"P(pass)"</th>
                    <th scope="col">{t(w::RATIONALE)}</th><th scope="col">{t(crate::i18n::audit::JUDGE)}</th></tr></thead>
                <tbody>{detail.verdicts.iter().map(row).collect_view()}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { <section class="card" aria-labelledby="verdicts"><h2 id="verdicts">{t(w::VERDICTS)}</h2>{body}</section> }
        .into_any()
}

fn earlier(reader: &Reader, detail: &CaseDetail) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let row = |of: &Adjudication| {
        let label = of.label.clone().map(|label| {
            let (words, _) = label_words(&detail.criterion, &label, lang.as_str());
            format!(": {words}")
        });
        view! { <tr data-testid="adjudication"><th scope="row">{w::outcome(lang, of.outcome)}{label}</th><td>{w::reason(lang, of.reason)}</td>
        <td class="wide">{of.note.clone()}</td><td class="judge-name">{of.by.clone()}</td><td class="quiet nowrap">{moment(lang, of.at)}</td></tr> }
    };
    let body = if detail.adjudications.is_empty() {
        view! { <p class="quiet">{t(w::NO_EARLIER)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::DECISION)}</th><th scope="col">{t(w::REASON)}</th><th scope="col">{t(w::NOTE)}</th>
                    <th scope="col">{t(w::WHO)}</th><th scope="col">{t(w::WHEN)}</th></tr></thead>
                <tbody>{detail.adjudications.iter().map(row).collect_view()}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! {
        <section class="card" aria-labelledby="earlier"><h2 id="earlier">{t(w::EARLIER)}</h2>{body}
            <p class="quiet small">{t(w::HOLDS)}</p></section>
    }
    .into_any()
}

fn form(
    reader: &Reader,
    filter: &CaseFilter,
    detail: &CaseDetail,
    refused: Option<&(OneEntered, Error)>,
) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let entered = refused.map(|(entered, _)| entered.clone()).unwrap_or_default();
    let trouble = refused.map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(lang);
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let labels = detail.criterion.labels.iter().map(|label| {
        let side = if label.pass { "pass" } else { "fail" };
        let (value, pass) = (format!("{side}:{}", label.name), label.pass);
        let checked = entered.decision == value;
        let title = label_words(&detail.criterion, &label.name, lang.as_str()).0;
        view! { <label class="choice"><input type="radio" name="decision" value=value checked=checked required/><Mark pass/>{title}</label> }
    });
    let labels = labels.collect_view();
    let reasons = Reason::ALL.map(|reason| {
        let checked = entered.reason == reason.as_str();
        view! { <label class="choice"><input type="radio" name="reason" value=reason.as_str() checked=checked required/>{w::reason(lang, reason)}</label> }
    });
    let action = case_address(&detail.sample.id.to_string(), &detail.criterion.name, filter);
    let ambiguous = entered.decision == "ambiguous";
    view! {
        <form method="post" action=action class="card stack" data-testid="case-form">
            <h2>{t(w::DECIDE)}</h2>
            {trouble}
            <fieldset class="choices"><legend class="quiet">{t(w::DECISION)}</legend>{labels}
                <label class="choice"><input type="radio" name="decision" value="ambiguous" checked=ambiguous required/>{t(w::AMBIGUOUS)}</label>
            </fieldset>
            <fieldset class="choices"><legend class="quiet">{t(w::REASON)}</legend>{reasons.collect_view()}</fieldset>
            <label class="field"><span>{t(w::NOTE)}</span><textarea name="note" rows="3" maxlength="4000">{entered.note.clone()}</textarea></label>
            <div class="buttons">
                <button class="primary" name="then" value="next" data-testid="decide-next">{t(w::STORE_NEXT)}</button>
                <button name="then" value="list" data-testid="decide">{t(w::STORE)}</button>
            </div>
        </form>
    }
    .into_any()
}
