//! `/exports`: a policy, what it would take now, starting it, and the files of earlier ones. A document: the policy
//! lives in the address.

mod form;

use crate::document::Reader;
use crate::error::ApiError;
use crate::i18n::{common as c, count, exports as w, moment, pages as p, samples as s};
use crate::session::{use_lang, use_words};
use concord_domain::{Error, Export, ExportPolicy, ExportPreview, JobState};
use form::PolicyForm;
use leptos::prelude::*;

/// The exports page. `toml` is the policy as a file.
#[must_use]
pub fn exports(
    reader: &Reader,
    policy: &ExportPolicy,
    toml: &str,
    preview: Result<ExportPreview, Error>,
    exports: Vec<Export>,
) -> String {
    let t = reader.words();
    let rounds = preview.as_ref().map_or(0, |it| it.rounds.first().map_or(0, |(n, _)| *n));
    let found = match preview {
        Ok(preview) => {
            let json = serde_json::to_string(policy).unwrap_or_default();
            Ok((preview, json, toml.to_owned()))
        }
        Err(error) => Err(ApiError::from(error).words(reader.lang())),
    };
    reader.render(t(c::EXPORTS), || {
        let found = match found {
            Ok((preview, json, toml)) => view! { <Preview preview json toml/> }.into_any(),
            Err(words) => view! {
                <section class="trouble" role="alert" data-testid="wrong-policy">
                    <h2>{t(w::WRONG_POLICY)}</h2><p>{words}</p>
                </section>
            }
            .into_any(),
        };
        view! {
            <div class="page">
                <h1>{t(c::EXPORTS)}</h1>
                <div class="columns">
                    <PolicyForm now=policy.clone() rounds/>
                    {found}
                </div>
                <List exports/>
            </div>
        }
        .into_any()
    })
}

#[component]
fn Preview(preview: ExportPreview, json: String, toml: String) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let total: i64 = preview.rows.iter().map(|(_, n)| n).sum();
    let rows = preview.rows.iter().map(|(task, n)| {
        view! { <tr><th scope="row">{c::task(lang, task)}</th><td class="number">{count(*n)}</td></tr> }
    });
    let rows = rows.collect_view();
    let nothing = (total == 0).then(|| view! { <p>{t(w::NOTHING_AGREED)}</p> });
    let held_out =
        (preview.held_out > 0).then(|| view! { <p class="quiet">{w::held_out(lang, preview.held_out)}</p> });
    let left_out = w::left_out(lang, preview.left_out);
    let more = (total > 0)
        .then(|| view! { <Classes preview=preview.clone()/><Lengths lengths=preview.lengths.clone()/> });
    let samples = (total > 0).then(|| view! { <Samples preview/> });
    view! {
        <div class="stack">
            <section class="card stack" aria-labelledby="preview">
                <h2 id="preview">{t(w::PREVIEW_TITLE)}</h2>
                <table class="compact">
                    <thead><tr><th scope="col">{t(p::TASK)}</th><th scope="col" class="number">{t(w::ROWS)}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                {nothing}
                {held_out}
                <p class="quiet">{left_out}</p>
                {more}
                <p class="quiet small">{t(w::TRAIN_HALF_ONLY)}</p>
                <form method="post" action="/exports">
                    <input type="hidden" name="policy" value=json/>
                    <button class="primary" data-testid="start-export" disabled=total == 0>{t(w::START_EXPORT)}</button>
                </form>
                <details><summary>{t(w::AS_FILE)}</summary><pre class="small" tabindex="0">{toml}</pre></details>
            </section>
            {samples}
        </div>
    }
    .into_any()
}

/// How many of each class, and what decided them.
#[component]
fn Classes(preview: ExportPreview) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let rows = preview.classes.into_iter().map(|it| {
        let criterion = it.criterion.map(|name| format!(" · {name}"));
        let class = match it.class.as_str() {
            "pass" => t(c::PASS).to_owned(),
            "fail" => t(c::FAIL).to_owned(),
            other => other.to_owned(),
        };
        view! {
            <tr>
                <th scope="row">{c::task(lang, &it.task)}{criterion}</th>
                <td class="nowrap">{class}</td>
                <td>{t(w::evidence(&it.evidence))}</td>
                <td class="number">{count(it.n)}</td>
            </tr>
        }
    });
    view! {
        <div class="table-frame" tabindex="0"><table class="compact" data-testid="export-classes">
            <thead><tr>
                <th scope="col">{t(p::TASK)}</th><th scope="col">{t(w::CLASS)}</th>
                <th scope="col">{t(w::DECIDED_BY)}</th><th scope="col" class="number">{t(w::ROWS)}</th>
            </tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table></div>
    }
    .into_any()
}

/// A histogram: a bar and a number a length.
#[component]
fn Lengths(lengths: Vec<(i64, i64)>) -> impl IntoView {
    let t = use_words();
    let most = lengths.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    let rows = lengths.into_iter().map(|(upto, n)| {
        #[expect(clippy::cast_precision_loss, reason = "a bar's width")]
        let width = format!("{:.1}", 120.0 * n as f64 / most as f64);
        view! {
            <tr>
                <th scope="row" class="number">{count(upto)}</th>
                <td><svg class="dot-axis" viewBox="0 0 120 12" width="120" height="12" aria-hidden="true">
                    <rect class="dot" x="0" y="2" height="8" width=width/></svg></td>
                <td class="number">{count(n)}</td>
            </tr>
        }
    });
    view! {
        <table class="compact" data-testid="export-lengths">
            <caption>{t(w::LENGTHS)}</caption>
            <thead><tr>
                <th scope="col" class="number">{t(w::UP_TO)}</th><td></td><th scope="col" class="number">{t(w::ROWS)}</th>
            </tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Samples(preview: ExportPreview) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let rows = preview.samples.into_iter().map(|it| {
        let href = format!("/samples/{}", it.sample);
        let criterion = it.criterion.map(|name| view! { <span class="quiet">" · "{name}</span> });
        let side = if it.pass { t(c::PASS) } else { t(c::FAIL) };
        let rejected =
            it.rejected.map(|text| view! { <p class="quiet small">{t(w::REJECTED)} ": " {text}</p> });
        view! {
            <tr>
                <th scope="row" class="nowrap">{c::task(lang, &it.task)}{criterion}</th>
                <td class="wide"><a href=href>{it.text}</a>{rejected}</td>
                <td class="nowrap">{side}</td>
                <td>{t(w::evidence(&it.evidence))}</td>
            </tr>
        }
    });
    view! {
        <section class="card" aria-labelledby="ten">
            <h2 id="ten">{t(w::TEN_ROWS)}</h2>
            <div class="table-frame" tabindex="0"><table class="compact" data-testid="export-samples">
                <thead><tr>
                    <th scope="col">{t(p::TASK)}</th><th scope="col">{t(s::TEXT)}</th>
                    <th scope="col">{t(w::CLASS)}</th><th scope="col">{t(w::DECIDED_BY)}</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
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
        // What lies in object storage is fetched there.
        let address = export.path.clone().filter(|path| path.contains("://"));
        let file = |name: String| {
            let href = format!("/api/v1/exports/{}/files/{name}", export.id);
            view! { <a href=href download=name.clone()>{name.clone()}</a> " " }
        };
        let files = match address {
            Some(address) => view! { <code>{address}</code> }.into_any(),
            None => export.files.iter().cloned().map(file).collect_view().into_any(),
        };
        let files = (export.state == JobState::Done).then_some(files);
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
                    <th scope="col">{t(s::WHEN)}</th>
                    <th scope="col">{t(s::STATE)}</th>
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
