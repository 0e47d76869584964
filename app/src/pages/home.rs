//! `/`: one's own day; for leads the counts, the last generation and what runs or failed.

use crate::i18n::{common as c, count, pages as w};
use crate::pages::SignedIn;
use crate::pages::generation::{GenerationCard, JobTable, busy};
use crate::rpc::work::get_overview;
use crate::session::{use_lang, use_words};
use crate::ui::{estimate::Estimate, notice::ErrorView, notice::FormError};
use concord_domain::{LeadOverview, MyProgress, Overview, TaskCounts};
use leptos::prelude::*;
use leptos_meta::Title;
use std::time::Duration;

/// How often the page asks again while something runs.
const REFRESH: Duration = Duration::from_secs(3);

/// The home page.
#[component]
pub(crate) fn HomePage() -> impl IntoView {
    let t = use_words();
    view! {
        <Title text=t(c::HOME)/>
        <div class="page"><h1>{t(c::HOME)}</h1><SignedIn><Loaded/></SignedIn></div>
    }
    .into_any()
}

#[component]
fn Loaded() -> impl IntoView {
    let overview = Resource::new(|| (), |()| get_overview());
    Effect::new(move |_| {
        let running = overview
            .with(|overview| matches!(overview, Some(Ok(Overview { lead: Some(lead), .. })) if busy(lead)));
        if running {
            set_timeout(move || overview.refetch(), REFRESH);
        }
    });
    let view = move || {
        Suspend::new(async move {
            match overview.await {
                Ok(overview) => view! { <Sections overview/> }.into_any(),
                Err(error) => view! { <ErrorView error/> }.into_any(),
            }
        })
    };
    view! { <Transition fallback=|| view! { <div class="card skeleton"></div> }>{view}</Transition> }
        .into_any()
}

#[component]
fn Sections(overview: Overview) -> impl IntoView {
    let t = use_words();
    let nothing = overview.mine.open == 0 && overview.mine.total == 0;
    let lead = overview.lead;
    let hint = (nothing && lead.is_none()).then(|| view! { <p class="card">{t(w::EMPTY_ANNOTATOR)}</p> });
    view! {
        <FormError/>
        <MyDay mine=overview.mine/>
        {hint}
        {lead.map(|lead| view! { <LeadSections lead/> })}
    }
    .into_any()
}

#[component]
fn MyDay(mine: MyProgress) -> impl IntoView {
    let t = use_words();
    let figure = |n: i64, words: &'static str| {
        view! { <div class="figure"><dd>{count(n)}</dd><dt>{words}</dt></div> }
    };
    view! {
        <section class="card my-day" aria-labelledby="my-day">
            <h2 id="my-day">{t(w::MY_DAY)}</h2>
            <dl class="figures">
                {figure(mine.today, t(w::DONE_TODAY))}
                {figure(mine.open, t(w::OPEN_TO_YOU))}
                {figure(mine.total, t(w::DONE_TOTAL))}
            </dl>
            <a class="button primary" href="/review">{t(w::START_REVIEW)}</a>
        </section>
    }
    .into_any()
}

#[component]
fn LeadSections(lead: LeadOverview) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let trouble = lead.model_trouble.map(|trouble| {
        view! {
            <section class="card warning" aria-labelledby="trouble">
                <h2 id="trouble">{t(w::MODEL_TROUBLE)}</h2><p class="mend">{trouble}</p>
            </section>
        }
    });
    if lead.users == 0 && lead.tasks.iter().all(|task| task.samples == 0) {
        return view! {
            {trouble}
            <section class="card" aria-labelledby="empty">
                <h2 id="empty">{t(w::EMPTY_LOGS)}</h2>
                <p>{t(w::EMPTY_LOGS_HINT)}</p>
                <pre class="command" tabindex="0">"concord demo"</pre>
                <pre class="command" tabindex="0">"concord import behaviours FILE --format jsonl"</pre>
            </section>
        }
        .into_any();
    }
    let logs = w::log_size(lang, lead.users, lead.items, lead.behaviours);
    view! {
        {trouble}
        <section class="card" aria-labelledby="tasks">
            <h2 id="tasks">{t(w::TASKS)}</h2>
            <TaskTable tasks=lead.tasks/>
            <p class="quiet small">{t(w::LOGS)} ": " {logs}</p>
        </section>
        <GenerationCard generation=lead.generation/>
        <JobTable jobs=lead.jobs/>
    }
    .into_any()
}

#[component]
fn TaskTable(tasks: Vec<TaskCounts>) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let rows = tasks.into_iter().map(|task| {
        let href = format!("/samples?task={}", task.task);
        view! {
            <tr>
                <th scope="row"><a href=href rel="external">{c::task(lang, &task.task)}</a></th>
                <td class="number">{count(task.samples)}</td>
                <td class="number">{count(task.judged)}</td>
                <td class="number">{count(task.labelled)}</td>
                <td class="wide"><Estimate of=task.agreement/></td>
            </tr>
        }
    });
    view! {
        <div class="table-frame" tabindex="0"><table>
            <thead><tr>
                <th scope="col">{t(w::TASK)}</th>
                <th scope="col" class="number">{t(w::MADE)}</th>
                <th scope="col" class="number">{t(w::JUDGED)}</th>
                <th scope="col" class="number">{t(w::LABELLED)}</th>
                <th scope="col" class="wide">{t(w::AGREEMENT)}</th>
            </tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table></div>
    }
    .into_any()
}
