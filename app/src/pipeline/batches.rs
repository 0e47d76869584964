//! `/pipeline`: every generation as a batch, with progress, rate, time left, and what one may do with it; and φ.

use super::tabs;
use crate::document::Reader;
use crate::i18n::{common as c, count, moment, pages as p, pipeline as w};
use concord_domain::{Batch, Capability, Error, PhiReport};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct BatchesPage {
    /// Batches, newest first.
    pub batches: Vec<Batch>,
    /// φ, or why it cannot be asked for.
    pub phi: Result<Option<PhiReport>, Error>,
}

/// The page.
#[must_use]
pub fn batches(reader: &Reader, page: &BatchesPage) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/pipeline")}</div>
                {table(reader, &page.batches)}
                {phi(reader, &page.phi)}
            </div>
        }
        .into_any()
    })
}

fn table(reader: &Reader, batches: &[Batch]) -> AnyView {
    let t = reader.words();
    if batches.is_empty() {
        return view! {
            <section class="card stack"><h2>{t(w::BATCHES)}</h2><p class="quiet">{t(w::NO_BATCHES)}</p>
                <p><a class="button" href="/">{t(c::HOME)}</a></p></section>
        }
        .into_any();
    }
    let moving = batches.iter().any(|it| it.state == "running");
    let again = moving.then(|| view! { <p><a class="button" href="/pipeline">{t(w::LOOK_AGAIN)}</a></p> });
    let rows = batches.iter().map(|batch| row(reader, batch)).collect_view();
    view! {
        <section class="card" aria-labelledby="batches">
            <h2 id="batches">{t(w::BATCHES)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::STARTED)}</th><th scope="col">{t(w::STATE)}</th>
                    <th scope="col" class="number">{t(w::USERS)}</th><th scope="col" class="number">{t(w::SAMPLES)}</th>
                    <th scope="col" class="number">{t(w::RATE)}</th><th scope="col" class="number">{t(w::LEFT)}</th>
                    <th scope="col" class="number">{t(w::JOBS)}</th><th scope="col">{t(w::PRIORITY)}</th>
                    <th scope="col">{t(w::STEER)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {again}
        </section>
    }
    .into_any()
}

fn row(reader: &Reader, batch: &Batch) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let generation = &batch.generation;
    let samples: i64 = generation.samples.iter().map(|(_, n)| n).sum();
    let state = t(match batch.state.as_str() {
        "running" => w::RUNNING,
        "paused" => w::PAUSED,
        "done" => w::DONE,
        _ => w::STOPPED,
    });
    let class = if batch.state == "stopped" { "state bad" } else { "state" };
    let users = format!("{} / {}", count(generation.users_done), count(generation.users));
    let failed = (generation.failed > 0).then(|| {
        let why = generation.error.clone().map(|why| format!(": {why}")).unwrap_or_default();
        view! { <div class="form-error small">{p::users_failed(lang, generation.failed)} {why}</div> }
    });
    let rate = batch.per_hour.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.0}"));
    let left = batch.seconds_left.map_or_else(|| "–".to_owned(), |seconds| p::time_left(lang, seconds));
    let jobs = w::jobs(lang, batch.waiting, batch.running, batch.paused);
    let finished = generation.users_done + generation.failed;
    view! {
        <tr data-testid="batch">
            <th scope="row" class="nowrap">{moment(lang, generation.created_at)}
                <div class="quiet small">{generation.model.clone()} " · seed " {generation.seed}</div></th>
            <td><span class=class>{state}</span>{failed}</td>
            <td class="number">{users}
                <div><progress max=generation.users value=finished aria-label=t(w::USERS)></progress></div></td>
            <td class="number">{count(samples)}<div class="quiet small">{w::judged(lang, generation.judged)}</div></td>
            <td class="number">{rate}</td><td class="number nowrap">{left}</td>
            <td class="number small">{jobs}</td>
            <td>{priority(reader, batch)}</td>
            <td>{buttons(reader, batch)}</td>
        </tr>
    }
    .into_any()
}

fn address(batch: &Batch) -> String {
    format!("/pipeline/batches/{}", batch.generation.id)
}

fn priority(reader: &Reader, batch: &Batch) -> AnyView {
    let t = reader.words();
    let open = matches!(batch.state.as_str(), "running" | "paused");
    if !open || !reader.viewer.can(Capability::Generate) {
        return view! { {batch.priority} }.into_any();
    }
    view! {
        <form method="post" action=address(batch) class="row">
            <input type="hidden" name="action" value="priority"/>
            <input type="number" name="priority" min="0" max="19" value=batch.priority aria-label=t(w::PRIORITY) required/>
            <button>{t(w::SET)}</button>
        </form>
    }
    .into_any()
}

fn buttons(reader: &Reader, batch: &Batch) -> AnyView {
    let t = reader.words();
    if !reader.viewer.can(Capability::Generate) {
        return ().into_any();
    }
    let button = |action: &'static str, words: &'static str| {
        view! {
            <form method="post" action=address(batch)><input type="hidden" name="action" value=action/><button>{words}</button></form>
        }
    };
    let (go, stop) = match batch.state.as_str() {
        "running" => (Some(button("pause", t(w::PAUSE))), Some(button("cancel", t(w::CANCEL)))),
        "paused" => (Some(button("resume", t(w::RESUME))), Some(button("cancel", t(w::CANCEL)))),
        _ => (None, None),
    };
    view! { <div class="row">{go}{stop}</div> }.into_any()
}

fn phi(reader: &Reader, phi: &Result<Option<PhiReport>, Error>) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let body = match phi {
        Err(error) => {
            let words = crate::error::ApiError::from(error.clone()).words(lang);
            view! { <p class="quiet">{words}</p> }.into_any()
        }
        Ok(None) => view! { <p class="quiet">{t(w::PHI_NONE)}</p> }.into_any(),
        Ok(Some(report)) if report.categories == 0 => {
            view! { <p class="quiet">{t(w::PHI_NO_CATEGORIES)}</p> }.into_any()
        }
        Ok(Some(report)) => view! {
            <p>{w::phi(lang, report)}</p>
            <p class="quiet small">{moment(lang, report.created_at)} " · " {report.embedder.clone()} " · seed " {report.seed}</p>
        }
        .into_any(),
    };
    view! {
        <section class="card stack" aria-labelledby="phi"><h2 id="phi">{t(w::PHI)}</h2><p class="quiet">{t(w::PHI_HINT)}</p>{body}</section>
    }
    .into_any()
}
