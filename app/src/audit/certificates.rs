//! `/audit/certificates`: every attempt and certificate, and the form that attempts one.

use super::{natural, tabs};
use crate::document::Reader;
use crate::i18n::{audit as w, common, moment};
use concord_domain::{Card, Certificate, CertificateRequest, Error, Statement};
use leptos::prelude::*;

/// The page of all attempts.
#[must_use]
pub fn certificates(reader: &Reader, all: &[Certificate]) -> String {
    let t = reader.words();
    reader.render(t(w::CERTIFICATES), || {
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::CERTIFICATES)}</h1>{tabs(reader, "/audit/certificates")}</div>
                <section class="card stack">{attempts(reader, all)}<p class="quiet small">{t(w::VOIDS)}</p></section>
            </div>
        }
        .into_any()
    })
}

/// A table of attempts, newest first.
pub(super) fn attempts(reader: &Reader, all: &[Certificate]) -> AnyView {
    let t = reader.words();
    if all.is_empty() {
        return view! { <p class="quiet">{t(w::NO_CERTIFICATES)}</p> }.into_any();
    }
    let rows = all.iter().map(|certificate| attempt(reader, certificate)).collect_view();
    view! {
        <div class="table-frame" tabindex="0"><table class="audit-table">
            <thead><tr>
                <th scope="col">{t(w::CRITERION)}</th><th scope="col">{t(w::STATUS)}</th>
                <th scope="col" class="number">"ε"</th><th scope="col" class="number">"δ"</th>
                <th scope="col" class="number">{t(w::SPENT)}</th>
                <th scope="col" class="number">{t(w::THRESHOLD)}</th><th scope="col" class="number">{t(w::COVERAGE)}</th>
                <th scope="col" class="number">"n"</th><th scope="col" class="number">{t(w::ERRORS)}</th>
                <th scope="col" class="number">{t(w::UCB)}</th><th scope="col">{t(w::ACCEPTED)}</th><th scope="col">{t(w::WHY)}</th><th scope="col">{t(w::BY)}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn attempt(reader: &Reader, of: &Certificate) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let it = &of.shown;
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let class = if it.status == "live" { "state" } else { "state bad" };
    let verdict = if it.verdict == "pass" { common::PASS } else { common::FAIL };
    let chains = of.chains.iter().map(|chain| {
        let place = chain.threshold.map_or_else(|| "–".to_owned(), |at| format!("{at:.3}"));
        view! { <li>{format!("{place}: {} / {}, p = {:.4}", chain.errors, chain.n, chain.p)}</li> }
    });
    let chains = chains.collect_view();
    let nothing =
        (it.status == "none" && it.n > 0).then(|| format!(": {}", w::needed(lang, of.labels_needed, it.n)));
    let void = (it.status == "live" || it.status == "suspended").then(|| {
        view! {
            <form method="post" action=format!("/audit/certificates/{}/void", of.id) class="inline-form">
                <label class="field"><span>{t(w::VOID_WHY)}</span><input type="text" name="why" required maxlength="500"/></label>
                <button>{t(w::VOID)}</button>
            </form>
        }
    });
    let statement = of.statement.clone().map(|said| view! { <p class="quiet small">{said}</p> });
    view! {
        <tr data-testid="certificate">
            <th scope="row">{w::criterion(lang, &of.criterion)} " · " {verdict.get(lang)}
                <div class="quiet small">{common::task(lang, &of.task)} " · " {of.judge.clone()}</div></th>
            <td><span class=class data-testid="certificate-status">{w::status(lang, &it.status)}</span></td>
            <td class="number">{it.eps.to_string()}</td><td class="number">{it.delta.to_string()}</td>
            <td class="number">{format!("{:.4}", of.delta_spent)}</td>
            <td class="number">{number(it.threshold)}</td><td class="number">{number(it.coverage)}</td>
            <td class="number">{natural(it.n)}</td><td class="number">{natural(it.errors)}</td>
            <td class="number">{number(it.ucb)}</td>
            <td class="small" data-testid="acts">{acts(reader, of)}</td>
            <td class="wide">{it.why.clone()}{nothing}{statement}
                <details><summary>{t(w::CHAINS)}</summary><ul>{chains}</ul></details>{void}</td>
            <td class="small">{of.by.clone()}<div class="quiet">{moment(lang, of.at)}</div></td>
        </tr>
    }
    .into_any()
}

/// What a certificate has accepted and what people found in it since; nothing where there is none.
fn acts(reader: &Reader, of: &Certificate) -> AnyView {
    let (lang, acts) = (reader.lang(), &of.acts);
    if of.shown.status == "none" {
        return ().into_any();
    }
    let lines =
        [w::accepted(lang, acts.accepted, acts.reopened), w::found_since(lang, acts.audited, acts.errors)];
    let last = acts.last.map(|at| view! { <div class="quiet nowrap">{moment(lang, at)}</div> });
    view! { {lines.map(|line| view! { <div>{line}</div> }).collect_view()}{last} }.into_any()
}

/// The boxes by which a lead states, by name, what imported labels are.
pub(super) fn statement(reader: &Reader, said: Option<Statement>) -> AnyView {
    let t = reader.words();
    let check = |name: &'static str, words: &'static str, on: bool| {
        view! { <label class="choice"><input type="checkbox" name=name value="on" checked=on/>{words}</label> }
    };
    view! {
        <fieldset class="choices">
            <legend>{t(w::STATEMENT)} " " <span class="quiet">{reader.email().to_owned()}</span></legend>
            {check("uniform", t(w::UNIFORM), said.is_some_and(|said| said.uniform))}
            {check("blind", t(w::BLIND), said.is_some_and(|said| said.blind))}
        </fieldset>
    }
    .into_any()
}

/// The form that attempts a certificate; after a refusal with what was entered and why.
pub(super) fn issue_form(
    reader: &Reader,
    card: &Card,
    refused: Option<&(CertificateRequest, Error)>,
) -> AnyView {
    let t = reader.words();
    let entered = refused.map(|(request, _)| request);
    let trouble = refused.map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let eps = entered.map_or(0.1, |it| it.eps);
    let delta = entered.map_or(0.05, |it| it.delta);
    let asked =
        |verdict: &str| entered.map_or(verdict == "pass", |it| it.verdicts.iter().any(|v| v == verdict));
    let check = |name: &'static str, value: &'static str, words: String, on: bool| {
        view! { <label class="choice"><input type="checkbox" name=name value=value checked=on/>{words}</label> }
    };
    let statement = (card.reference.blindness == "imported")
        .then(|| statement(reader, entered.and_then(|it| it.statement)));
    view! {
        <form method="post" action="/audit/certificates" class="stack" data-testid="issue-form">
            {trouble}
            <p class="quiet">{t(w::ISSUE_HINT)}</p>
            <input type="hidden" name="task" value=card.task.clone()/>
            <input type="hidden" name="criterion" value=card.criterion.clone()/>
            <input type="hidden" name="judge" value=card.judge.clone()/>
            <div class="filters">
                <label class="field"><span>{t(w::EPS)}</span><input type="number" name="eps" step="any" min="0.001" max="0.499" value=eps.to_string()/></label>
                <label class="field"><span>{t(w::DELTA)}</span><input type="number" name="delta" step="any" min="0.001" max="0.499" value=delta.to_string()/></label>
                <fieldset class="choices row"><legend>{t(w::VERDICT)}</legend>
                    {check("verdict", "pass", t(common::PASS).to_owned(), asked("pass"))}
                    {check("verdict", "fail", t(common::FAIL).to_owned(), asked("fail"))}
                </fieldset>
            </div>
            {check("unseen", "on", t(w::UNSEEN).to_owned(), entered.is_some_and(|it| it.unseen_only))}
            {statement}
            <p><button class="primary" data-testid="issue-certificate">{t(w::ISSUE)}</button></p>
        </form>
    }
    .into_any()
}
