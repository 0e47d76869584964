//! `/audit/investigations/…`: what rang, what it suspended, and the plan: relabel, recalibrate, certify anew.

use super::certificates::{attempts, statement};
use super::drift::monitor;
use super::{address, tabs};
use crate::document::Reader;
use crate::i18n::{Text, audit as w, moment};
use concord_domain::Investigation;
use leptos::prelude::*;

/// Samples that people are given again unless somebody says otherwise.
const AGAIN: u32 = 30;

/// The page of an investigation.
#[must_use]
pub fn investigation(reader: &Reader, of: &Investigation) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    reader.render(t(w::INVESTIGATION), || {
        let state = t(if of.closed_at.is_some() { w::CLOSED } else { w::OPEN });
        let suspended = of.certificate.as_ref().map(|it| {
            view! {
                <section class="card"><h2>{t(w::CERTIFICATE)}</h2>{attempts(reader, std::slice::from_ref(it))}</section>
            }
        });
        view! {
            <div class="page">
                <div class="page-top">
                    <h1>{t(w::INVESTIGATION)} " · " <span class="quiet" data-testid="investigation-state">{state}</span></h1>
                    {tabs(reader, "/audit/drift")}
                </div>
                <p>{t(w::OPENED_AT)} " " {moment(lang, of.opened_at)}</p>
                <section class="card"><h2>{t(w::PLAN)}</h2><ol class="plan stack">
                    {step(reader, of, "relabel", w::STEP_RELABEL, relabel(reader, of))}
                    {step(reader, of, "recalibrate", w::STEP_RECALIBRATE, recalibrate(reader, of))}
                    {step(reader, of, "certify", w::STEP_CERTIFY, certify(reader, of))}
                    {step(reader, of, "close", w::STEP_CLOSE, close(reader, of))}
                </ol></section>
                {monitor(reader, &of.monitor)}
                {suspended}
            </div>
        }
        .into_any()
    })
}

/// A step: what it is, what was done, and what can be done now.
fn step(
    reader: &Reader,
    of: &Investigation,
    name: &'static str,
    words: Text,
    action: impl IntoView,
) -> impl IntoView {
    let (t, lang) = (reader.words(), reader.lang());
    let done: Vec<_> = of.steps.iter().filter(|it| it.step == name).collect();
    let mark = t(if done.is_empty() { w::STEP_WAITING } else { w::STEP_DONE });
    let class = if done.is_empty() { "state quiet" } else { "state" };
    let lines = done.into_iter().map(|it| {
        view! { <li>{it.note.clone()} <span class="quiet small">" · " {it.by.clone()} " · " {moment(lang, it.at)}</span></li> }
    });
    let lines = lines.collect_view();
    view! {
        <li data-testid=format!("step-{name}")>
            <b>{t(words)}</b> " · " <span class=class>{mark}</span><ul>{lines}</ul>{action}
        </li>
    }
}

fn form(of: &Investigation, action: &str, fields: impl IntoView, button: &'static str) -> AnyView {
    let target = format!("/audit/investigations/{}{action}", of.id);
    view! {
        <form method="post" action=target class="inline-form">{fields}<button>{button}</button></form>
    }
    .into_any()
}

fn relabel(reader: &Reader, of: &Investigation) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let so_far = (of.relabelled.asked > 0)
        .then(|| view! { <p data-testid="relabelled">{w::relabelled(lang, of.relabelled)}</p> });
    let ask = of.closed_at.is_none().then(|| {
        let field = view! {
            <label class="field"><span>{t(w::HOW_MANY)}</span>
                <input type="number" name="n" value=AGAIN.to_string() min="1" max="500" required/></label>
        };
        form(of, "/relabel", field, t(w::GIVE_AGAIN))
    });
    view! { {so_far}{ask} }.into_any()
}

fn recalibrate(reader: &Reader, of: &Investigation) -> AnyView {
    let t = reader.words();
    let it = &of.monitor;
    let card = format!("{}#reliability", address("card", &it.task, &it.criterion, &it.judge));
    let actions = of.closed_at.is_none().then(|| {
        let methods = ["platt", "temperature", "isotonic"].map(|it| view! { <option value=it>{it}</option> });
        let field = view! {
            <label class="field"><span>{t(w::METHOD)}</span><select name="method">{methods.collect_view()}</select></label>
        };
        view! { {form(of, "/recalibrate", field, t(w::RECALIBRATE))}{noted(reader, of, "recalibrate")} }
    });
    view! {
        <p class="quiet small">{t(w::RECALIBRATE_HINT)} " " <a href=card>{t(w::RELIABILITY)}</a> " · "
            <a href="/judges">{t(w::JUDGES)}</a></p>
        {actions}
    }
    .into_any()
}

fn certify(reader: &Reader, of: &Investigation) -> AnyView {
    let t = reader.words();
    let made = (!of.attempts.is_empty()).then(|| attempts(reader, &of.attempts));
    let imported = of.certificate.as_ref().is_some_and(|it| it.statement.is_some());
    let attempt = of.closed_at.is_none().then(|| {
        let fields = view! {
            <label class="field"><span>{t(w::JUDGE)}</span>
                <input type="text" name="judge" value=of.monitor.judge.clone() required maxlength="200"/></label>
            {imported.then(|| statement(reader, None))}
        };
        form(of, "/certify", fields, t(w::ATTEMPT_UNSEEN))
    });
    view! { <p class="quiet small">{t(w::ANEW_HINT)}</p>{made}{attempt} }.into_any()
}

fn close(reader: &Reader, of: &Investigation) -> AnyView {
    let at = of.closed_at.map(|at| view! { <p>{moment(reader.lang(), at)}</p> });
    let note = of.closed_at.is_none().then(|| noted(reader, of, "close"));
    view! { {at}{note} }.into_any()
}

/// A form that notes what was done elsewhere.
fn noted(reader: &Reader, of: &Investigation, step: &'static str) -> AnyView {
    let t = reader.words();
    let fields = view! {
        <input type="hidden" name="step" value=step/>
        <label class="field"><span>{t(w::NOTE)}</span><input type="text" name="note" required maxlength="2000"/></label>
    };
    form(of, "", fields, t(if step == "close" { w::CLOSE } else { w::NOTE_STEP }))
}
