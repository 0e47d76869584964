//! `/audit/programme`: how a task is reviewed, and its gold questions.

use super::tabs;
use crate::document::{Reader, encoded};
use crate::i18n::{Text, common, programme as w};
use concord_domain::{Error, GoldQuestion, Programme, Third};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct ProgrammePage {
    /// Tasks there are.
    pub tasks: Vec<String>,
    /// The task shown.
    pub task: String,
    /// Its programme; what was entered where that was refused.
    pub programme: Programme,
    /// Its gold questions.
    pub gold: Vec<GoldQuestion>,
    /// It was stored just now.
    pub stored: bool,
    /// Why something was refused.
    pub refused: Option<Error>,
}

/// The page.
#[must_use]
pub fn programme(reader: &Reader, page: &ProgrammePage) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        let links = page.tasks.iter().map(|task| {
            let current = (*task == page.task).then_some("page");
            view! { <a href=format!("/audit/programme?task={}", encoded(task)) aria-current=current>{common::task(reader.lang(), task)}</a> }
        });
        let body = if page.task.is_empty() {
            view! { <section class="card"><p class="quiet">{t(crate::i18n::audit::NOTHING)}</p></section> }
                .into_any()
        } else {
            view! { {settings(reader, page)}{gold(reader, page)} }.into_any()
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/audit/programme")}</div>
                <nav class="tasks" aria-label=t(crate::i18n::audit::TASK)>{links.collect_view()}</nav>
                {body}
            </div>
        }
        .into_any()
    })
}

/// A number field: name, words, value, least, most, and the step that a browser offers.
struct Number(&'static str, Text, f64, &'static str, &'static str, &'static str);

fn number(reader: &Reader, Number(name, words, value, least, most, step): Number) -> AnyView {
    let t = reader.words();
    view! {
        <label class="field"><span>{t(words)}</span>
            <input type="number" name=name value=value.to_string() min=least max=most step=step required/></label>
    }
    .into_any()
}

fn settings(reader: &Reader, page: &ProgrammePage) -> AnyView {
    let t = reader.words();
    let of = &page.programme;
    let trouble = page.refused.as_ref().map(|error| {
        let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    let stored = page.stored.then(|| view! { <p class="notice" role="status">{t(w::STORED)}</p> });
    let group = |words: Text, fields: AnyView| {
        view! { <fieldset class="group"><legend>{t(words)}</legend><div class="filters">{fields}</div></fieldset> }
    };
    let one = |field| number(reader, field);
    let thirds = [(Third::Never, w::THIRD_NEVER), (Third::Tie, w::THIRD_TIE), (Third::Any, w::THIRD_ANY)];
    let thirds = thirds.map(|(third, words)| {
        view! { <option value=third.as_str() selected=of.third == third>{t(words)}</option> }
    });
    let handing_out = view! {
        {one(Number("overlap", w::OVERLAP, of.overlap.into(), "1", "10", "1"))}
        {one(Number("lease_seconds", w::LEASE, of.lease_seconds.into(), "30", "86400", "1"))}
        {one(Number("audit_share", w::AUDIT_SHARE, of.audit_share, "0", "1", "any"))}
        <label class="field"><span>{t(w::THIRD)}</span><select name="third">{thirds.collect_view()}</select></label>
    };
    let checks = view! {
        {one(Number("gold_rate", w::GOLD_RATE, of.gold_rate, "0", "0.5", "any"))}
        {one(Number("repeat_rate", w::REPEAT_RATE, of.repeat_rate, "0", "0.2", "any"))}
        {one(Number("repeat_after_days", w::REPEAT_AFTER, of.repeat_after_days.into(), "7", "365", "1"))}
    };
    let sight = view! {
        <label class="choice"><input type="checkbox" name="assisted" value="on" checked=of.assisted/>{t(w::ASSISTED)}</label>
        {one(Number("assisted_rate", w::ASSISTED_RATE, of.assisted_rate, "0", "0.5", "any"))}
    };
    view! {
        <section class="card stack" aria-labelledby="settings">
            <h2 id="settings">{t(w::SETTINGS)}</h2>
            {stored}{trouble}
            <form method="post" action="/audit/programme" class="stack" data-testid="programme-form">
                <input type="hidden" name="task" value=page.task.clone()/>
                {group(w::QUEUE, handing_out.into_any())}
                {group(w::CHECKS, checks.into_any())}
                {group(w::SIGHT, sight.into_any())}
                <p class="quiet small">{t(w::ASSISTED_HINT)} " " <a href="/audit/annotators#anchoring">{t(w::ANCHORING)}</a></p>
                <div class="buttons"><button class="primary">{t(w::SAVE)}</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn gold(reader: &Reader, page: &ProgrammePage) -> AnyView {
    let t = reader.words();
    let samples = format!("/samples?task={}", encoded(&page.task));
    let body = if page.gold.is_empty() {
        view! { <p class="quiet">{t(w::NO_GOLD)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table data-testid="gold">
                <thead><tr><th scope="col">{t(w::SAMPLE)}</th><th scope="col">{t(w::RIGHT)}</th>
                    <th scope="col" class="number">{t(w::SHARE)}</th><th scope="col">{t(w::STATE)}</th>
                    <th scope="col"><span class="visually-hidden">{t(w::CHANGE)}</span></th></tr></thead>
                <tbody>{page.gold.iter().map(|it| row(reader, it)).collect_view()}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! {
        <section class="card stack" aria-labelledby="gold">
            <h2 id="gold">{t(w::GOLD)}</h2>
            <p class="quiet">{t(w::GOLD_HINT)} " " <a href=samples>{t(w::TO_SAMPLES)}</a></p>
            {body}
        </section>
    }
    .into_any()
}

fn row(reader: &Reader, of: &GoldQuestion) -> AnyView {
    let t = reader.words();
    let answers = of.answers.iter().map(|it| {
        view! { <li title=it.reason.clone()>{it.criterion.clone()} ": " <b>{it.label.clone()}</b></li> }
    });
    let state = match (of.active, of.waiting) {
        (false, _) => w::RETIRED,
        (true, true) => w::WAITING,
        (true, false) => w::SERVED,
    };
    let address = format!("/audit/gold/{}", of.sample);
    let retire = of.active.then(|| {
        view! {
            <form method="post" action=format!("{address}/retire")>
                <input type="hidden" name="task" value=of.task.clone()/>
                <button class="quiet-button">{t(w::RETIRE)}</button>
            </form>
        }
    });
    view! {
        <tr><th scope="row" class="wide">{of.text.clone()}</th>
            <td><ul class="plain">{answers.collect_view()}</ul></td>
            <td class="number">{w::right(reader.lang(), of.correct, of.n)}</td><td class="nowrap">{t(state)}</td>
            <td><div class="buttons"><a class="button" href=address>{t(w::CHANGE)}</a>{retire}</div></td></tr>
    }
    .into_any()
}
