//! The parts of the home page about slow work: the last generation, starting one, jobs.

use crate::i18n::{common as c, count, moment, pages as w};
use crate::rpc::work::{CancelJob, StartGeneration};
use crate::session::{use_lang, use_viewer, use_words};
use concord_domain::{Capability, Generation, Job, JobState, LeadOverview};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

/// Whether something runs, so that the page asks again.
pub(crate) fn busy(lead: &LeadOverview) -> bool {
    lead.jobs.iter().any(|job| matches!(job.state, JobState::Queued | JobState::Running))
}

/// The last generation with its progress, and the form that starts another.
#[component]
pub(crate) fn GenerationCard(generation: Option<Generation>) -> impl IntoView {
    let t = use_words();
    let last = match generation {
        Some(generation) => view! { <Last generation/> }.into_any(),
        None => view! { <p class="quiet">{t(w::NO_GENERATION)}</p> }.into_any(),
    };
    let start = use_viewer().can(Capability::Generate).then(|| view! { <Start/> });
    view! {
        <section class="card" aria-labelledby="generation">
            <h2 id="generation">{t(w::GENERATION)}</h2>
            {last}
            {start}
        </section>
    }
    .into_any()
}

#[component]
fn Last(generation: Generation) -> impl IntoView {
    let lang = use_lang();
    let samples: i64 = generation.samples.iter().map(|(_, n)| n).sum();
    let finished = generation.users_done + generation.failed;
    let line = w::generation_line(lang, generation.users_done, generation.users, generation.judged, samples);
    let by_task = generation.samples.iter().map(|(task, n)| format!("{} {}", c::task(lang, task), count(*n)));
    let by_task = by_task.collect::<Vec<_>>().join(" · ");
    let left = generation.seconds_left.map(|seconds| view! { <b>" · " {w::time_left(lang, seconds)}</b> });
    let failed = (generation.failed > 0).then(|| {
        let why = generation.error.map(|error| format!(": {error}")).unwrap_or_default();
        view! { <p class="form-error">{w::users_failed(lang, generation.failed)} {why}</p> }
    });
    let at = moment(lang, generation.created_at);
    view! {
        <progress class="long" max=generation.users value=finished aria-labelledby="generation"></progress>
        <p>{line} {left}</p>
        <p class="quiet small">{by_task}</p>
        {failed}
        <p class="quiet small">{at} " · " {generation.model} " · " {generation.prompts} " · seed " {generation.seed}</p>
    }
    .into_any()
}

#[component]
fn Start() -> impl IntoView {
    let t = use_words();
    view! {
        <form method="post" action=StartGeneration::PATH class="inline-form" aria-label=t(w::START_GENERATION)>
            <label class="field small-field">
                <span>{t(w::USERS_COUNT)}</span>
                <input type="number" name="users" value="5" min="1" max="100000" required/>
            </label>
            <label class="field small-field">
                <span>{t(w::SEED)}</span>
                <input type="number" name="seed" value="1" min="0" required/>
            </label>
            <button data-testid="start-generation">{t(w::DO_GENERATE)}</button>
            <p class="quiet small">{t(w::GENERATE_EFFECT)}</p>
        </form>
    }
    .into_any()
}

/// Jobs that wait, run or failed; nothing where there are none.
#[component]
pub(crate) fn JobTable(jobs: Vec<Job>) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    (!jobs.is_empty()).then(|| {
        let rows = jobs.into_iter().map(|job| {
            let open = matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused);
            let class = if job.state == JobState::Failed { "state bad" } else { "state" };
            let progress = if job.total > 0 {
                format!("{} / {}", count(job.done), count(job.total))
            } else {
                count(job.done)
            };
            let stop = open.then(|| {
                view! {
                    <form method="post" action=CancelJob::PATH>
                        <input type="hidden" name="id" value=job.id.to_string()/>
                        <button>{t(w::STOP)}</button>
                    </form>
                }
            });
            view! {
                <tr>
                    <th scope="row">{w::job_kind(lang, &job.kind)}</th>
                    <td><span class=class>{w::job_state(lang, job.state)}</span></td>
                    <td class="number">{progress}</td>
                    <td class="wide">{job.message}</td>
                    <td>{stop}</td>
                </tr>
            }
        });
        view! {
            <section class="card" aria-labelledby="jobs">
                <h2 id="jobs">{t(w::JOBS)}</h2>
                <div class="table-frame" tabindex="0"><table>
                    <thead><tr>
                        <th scope="col">{t(w::JOB_KIND)}</th>
                        <th scope="col">{t(w::JOB_STATE)}</th>
                        <th scope="col" class="number">{t(w::JOB_PROGRESS)}</th>
                        <th scope="col">{t(w::JOB_MESSAGE)}</th>
                        <th scope="col"><span class="visually-hidden">{t(w::STOP)}</span></th>
                    </tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table></div>
            </section>
        }
        .into_any()
    })
}
