//! `/exports`: a policy, what it would take now, starting it, and the files of earlier ones.
//! The policy lives in the address: the preview and the start work without wasm.

use crate::i18n::{common as c, count, moment, pages as w};
use crate::pages::SignedIn;
use crate::rpc::exports::{StartExport, list_exports, preview_export};
use crate::session::{use_lang, use_words};
use crate::ui::{notice::ErrorView, notice::FormError};
use concord_domain::{Export, ExportPolicy, ExportPreview, JobState, TASKS};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use std::time::Duration;

/// The exports page.
#[component]
pub(crate) fn ExportsPage() -> impl IntoView {
    let t = use_words();
    view! {
        <Title text=t(c::EXPORTS)/>
        <div class="page"><h1>{t(c::EXPORTS)}</h1><SignedIn><Loaded/></SignedIn></div>
    }
    .into_any()
}

fn policy(query: &ParamsMap) -> ExportPolicy {
    let base = ExportPolicy::default();
    let all = |name: &str| query.get_all(name).unwrap_or_default();
    let tasks = all("task");
    ExportPolicy {
        tasks: tasks.into_iter().filter(|task| TASKS.contains(&task.as_str())).collect(),
        languages: all("lang").into_iter().filter(|lang| lang == "en" || lang == "zh").collect(),
        evidence: query.get("evidence").filter(|it| it == "final").unwrap_or(base.evidence),
        agreement: query.get("agreement").filter(|it| it == "majority").unwrap_or(base.agreement),
        min_people: query.get("min_people").and_then(|n| n.parse().ok()).unwrap_or(base.min_people),
        require_judge: query.get("require_judge").is_some(),
        target: base.target,
        redact: base.redact,
    }
}

#[component]
fn Loaded() -> impl IntoView {
    let query = use_query_map();
    let now = Memo::new(move |_| query.with(policy));
    let preview = Resource::new(move || now.get(), preview_export);
    let exports = Resource::new(|| (), |()| list_exports());
    Effect::new(move |_| {
        let open = |list: &Vec<Export>| {
            list.iter().any(|it| matches!(it.state, JobState::Queued | JobState::Running))
        };
        if exports.with(|list| matches!(list, Some(Ok(list)) if open(list))) {
            set_timeout(move || exports.refetch(), Duration::from_secs(2));
        }
    });
    let counts = move || {
        Suspend::new(async move {
            match preview.await {
                Ok(preview) => view! { <Preview preview policy=now.get_untracked()/> }.into_any(),
                Err(error) => view! { <ErrorView error/> }.into_any(),
            }
        })
    };
    let list = move || {
        Suspend::new(async move {
            match exports.await {
                Ok(exports) => view! { <List exports/> }.into_any(),
                Err(error) => view! { <ErrorView error/> }.into_any(),
            }
        })
    };
    view! {
        <FormError/>
        <div class="columns">
            {move || view! { <PolicyForm now=now.get()/> }}
            <Transition fallback=|| view! { <div class="card skeleton"></div> }>{counts}</Transition>
        </div>
        <Transition fallback=|| view! { <div class="card skeleton"></div> }>{list}</Transition>
    }
    .into_any()
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
            <fieldset class="choices row"><legend>{t(w::TASK)} " " <span class="quiet">{t(w::ALL_TASKS_NOTE)}</span></legend>
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
                <thead><tr><th scope="col">{t(w::TASK)}</th><th scope="col" class="number">{t(w::ROWS)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {nothing}
            <p class="quiet">{w::left_out(lang, preview.left_out)}</p>
            <p class="quiet small">{t(w::TRAIN_HALF_ONLY)}</p>
            <form method="post" action=StartExport::PATH>
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
    let rows = exports.into_iter().map(|export| {
        let file = |name: &'static str| {
            let href = format!("/api/v1/exports/{}/files/{name}", export.id);
            view! { <a href=href rel="external" download=name>{name}</a> " " }
        };
        let files = (export.state == JobState::Done).then(|| (file("train.jsonl"), file("manifest.json")));
        let class = if export.state == JobState::Failed { "state bad" } else { "state" };
        view! {
            <tr data-testid="export-row">
                <th scope="row" class="nowrap">{moment(lang, export.created_at)}</th>
                <td><span class=class>{w::job_state(lang, export.state)}</span></td>
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
        </section>
    }
    .into_any()
}
