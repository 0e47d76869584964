//! `/exports`: a policy, what it would take now, starting it, and the files of earlier ones. A document: the policy
//! lives in the address.

use crate::document::Reader;
use crate::i18n::{common as c, count, moment, pages as p, samples as w};
use crate::session::{use_lang, use_words};
use concord_domain::{Export, ExportPolicy, ExportPreview, JobState, TASKS};
use leptos::prelude::*;

/// The exports page.
#[must_use]
pub fn exports(
    reader: &Reader,
    policy: ExportPolicy,
    preview: ExportPreview,
    exports: Vec<Export>,
) -> String {
    let t = reader.words();
    reader.render(t(c::EXPORTS), || {
        view! {
            <div class="page">
                <h1>{t(c::EXPORTS)}</h1>
                <div class="columns">
                    <PolicyForm now=policy.clone()/>
                    <Preview preview policy/>
                </div>
                <List exports/>
            </div>
        }
        .into_any()
    })
}

#[component]
fn PolicyForm(now: ExportPolicy) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let check = |name: &'static str, value: &'static str, words: String, on: bool| {
        view! { <label class="choice"><input type="checkbox" name=name value=value checked=on/>{words}</label> }
    };
    let radio = |name: &'static str, value: &'static str, words: &'static str, now: &str| {
        let on = now == value;
        view! { <label class="choice"><input type="radio" name=name value=value checked=on/>{words}</label> }
    };
    let tasks =
        TASKS.map(|task| check("task", task, c::task(lang, task), now.tasks.iter().any(|it| it == task)));
    let langs = [("en", w::ENGLISH), ("zh", w::CHINESE)]
        .map(|(lang, words)| check("lang", lang, t(words).into(), now.languages.iter().any(|it| it == lang)));
    view! {
        <form method="get" action="/exports" class="card stack" aria-labelledby="policy">
            <h2 id="policy">{t(w::POLICY)}</h2>
            <fieldset class="choices row"><legend>{t(p::TASK)} " " <span class="quiet">{t(w::ALL_TASKS_NOTE)}</span></legend>
                {tasks.collect_view()}</fieldset>
            <fieldset class="choices row"><legend>{t(w::LANGUAGES)} " " <span class="quiet">{t(w::ALL_TASKS_NOTE)}</span></legend>
                {langs.collect_view()}</fieldset>
            <fieldset class="choices row"><legend>{t(w::EVIDENCE)}</legend>
                {radio("evidence", "blind", t(w::EVIDENCE_BLIND), &now.evidence)}
                {radio("evidence", "final", t(w::EVIDENCE_FINAL), &now.evidence)}
            </fieldset>
            <fieldset class="choices row"><legend>{t(w::MUST_AGREE)}</legend>
                {radio("agreement", "unanimous", t(w::UNANIMOUS), &now.agreement)}
                {radio("agreement", "majority", t(w::MAJORITY), &now.agreement)}
            </fieldset>
            <label class="field small-field"><span>{t(w::MIN_PEOPLE)}</span>
                <input type="number" name="min_people" min="1" max="20" value=now.min_people/></label>
            {check("require_judge", "on", t(w::REQUIRE_JUDGE).into(), now.require_judge)}
            {check("redact", "on", t(w::REDACT).into(), now.redact)}
            <p><button data-testid="preview-export">{t(w::PREVIEW)}</button></p>
        </form>
    }
    .into_any()
}

#[component]
fn Preview(preview: ExportPreview, policy: ExportPolicy) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let total: i64 = preview.rows.iter().map(|(_, n)| n).sum();
    let rows = preview.rows.into_iter().map(|(task, n)| {
        view! { <tr><th scope="row">{c::task(lang, &task)}</th><td class="number">{count(n)}</td></tr> }
    });
    let nothing = (total == 0).then(|| view! { <p>{t(w::NOTHING_AGREED)}</p> });
    let policy = serde_json::to_string(&policy).unwrap_or_default();
    view! {
        <section class="card stack" aria-labelledby="preview">
            <h2 id="preview">{t(w::PREVIEW_TITLE)}</h2>
            <table class="compact">
                <thead><tr><th scope="col">{t(p::TASK)}</th><th scope="col" class="number">{t(w::ROWS)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {nothing}
            <p class="quiet">{w::left_out(lang, preview.left_out)}</p>
            <p class="quiet small">{t(w::TRAIN_HALF_ONLY)}</p>
            <form method="post" action="/exports">
                <input type="hidden" name="policy" value=policy/>
                <button class="primary" data-testid="start-export" disabled=total == 0>{t(w::START_EXPORT)}</button>
            </form>
        </section>
    }
    .into_any()
}

#[component]
fn List(exports: Vec<Export>) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    if exports.is_empty() {
        return view! {
            <section class="card" aria-labelledby="exports">
                <h2 id="exports">{t(w::EXPORT_LIST)}</h2><p class="quiet">{t(w::NO_EXPORTS)}</p>
            </section>
        }
        .into_any();
    }
    let open = exports.iter().any(|it| matches!(it.state, JobState::Queued | JobState::Running));
    let again = open.then(|| view! { <p><a class="button" href="/exports">{t(w::LOOK_AGAIN)}</a></p> });
    let rows = exports.into_iter().map(|export| {
        let file = |name: &'static str| {
            let href = format!("/api/v1/exports/{}/files/{name}", export.id);
            view! { <a href=href download=name>{name}</a> " " }
        };
        let files = (export.state == JobState::Done).then(|| (file("train.jsonl"), file("manifest.json")));
        let class = if export.state == JobState::Failed { "state bad" } else { "state" };
        view! {
            <tr data-testid="export-row">
                <th scope="row" class="nowrap">{moment(lang, export.created_at)}</th>
                <td><span class=class>{p::job_state(lang, export.state)}</span></td>
                <td class="number">{count(export.rows)}</td>
                <td class="wide">{files}{export.error}</td>
            </tr>
        }
    });
    view! {
        <section class="card" aria-labelledby="exports">
            <h2 id="exports">{t(w::EXPORT_LIST)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::WHEN)}</th>
                    <th scope="col">{t(w::STATE)}</th>
                    <th scope="col" class="number">{t(w::ROWS)}</th>
                    <th scope="col">{t(w::FILES)}</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
            {again}
        </section>
    }
    .into_any()
}
