//! `/audit/sampling`: how many of the judged samples people look at, and what a number of labels is best spent on.

use super::{figure, natural, tabs};
use crate::document::{Reader, encoded};
use crate::i18n::{audit as w, common};
use concord_domain::{AuditAllocation, AuditSampling, Error};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct SamplingPage {
    /// Tasks there are.
    pub tasks: Vec<String>,
    /// The task shown.
    pub task: String,
    /// How its audit is drawn; what was entered where that was refused.
    pub sampling: AuditSampling,
    /// Labels to spend, as asked.
    pub budget: Option<u64>,
    /// What they are best spent on.
    pub allocation: Option<AuditAllocation>,
    /// Why something was refused.
    pub refused: Option<Error>,
}

/// The page.
#[must_use]
pub fn sampling(reader: &Reader, page: &SamplingPage) -> String {
    let t = reader.words();
    reader.render(t(w::SAMPLING), || {
        let trouble = page.refused.as_ref().map(|error| {
            let words = crate::error::ApiError::from(error.clone()).words(reader.lang());
            view! { <p class="form-error" role="alert">{words}</p> }
        });
        let body = if page.task.is_empty() {
            view! { <section class="card"><p class="quiet">{t(w::NOTHING)}</p></section> }.into_any()
        } else {
            view! { {trouble}{rates(reader, page)}{budget(reader, page)} }.into_any()
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::SAMPLING)}</h1>{tabs(reader, "/audit/sampling")}</div>
                {tasks(reader, page)}
                {body}
            </div>
        }
        .into_any()
    })
}

fn tasks(reader: &Reader, page: &SamplingPage) -> AnyView {
    let links = page.tasks.iter().map(|task| {
        let current = (*task == page.task).then_some("page");
        view! { <a href=format!("/audit/sampling?task={}", encoded(task)) aria-current=current>{common::task(reader.lang(), task)}</a> }
    });
    let t = reader.words();
    view! { <nav class="tasks" aria-label=t(w::TASK)>{links.collect_view()}</nav> }.into_any()
}

fn rates(reader: &Reader, page: &SamplingPage) -> AnyView {
    let t = reader.words();
    let field = |name: &'static str, words: &'static str, value: f64, least: &'static str| {
        view! {
            <label class="field"><span>{words}</span>
                <input type="number" name=name step="any" min=least max="1" value=value.to_string() required/></label>
        }
    };
    let of = page.sampling;
    view! {
        <section class="card stack" aria-labelledby="rates">
            <h2 id="rates">{t(w::RATES)}</h2>
            <p class="quiet">{t(w::RATES_HINT)}</p>
            <form method="post" action="/audit/sampling" class="filters" data-testid="rates-form">
                <input type="hidden" name="task" value=page.task.clone()/>
                {field("rate_pass", t(w::RATE_PASS), of.rate_pass, "0.0001")}
                {field("rate_fail", t(w::RATE_FAIL), of.rate_fail, "0.0001")}
                {field("floor", t(w::FLOOR), of.floor, "0.02")}
                <button>{t(w::SET_RATES)}</button>
            </form>
        </section>
    }
    .into_any()
}

fn budget(reader: &Reader, page: &SamplingPage) -> AnyView {
    let t = reader.words();
    let asked = page.budget.unwrap_or(300).to_string();
    view! {
        <section class="card stack" aria-labelledby="budget">
            <h2 id="budget">{t(w::SPEND)}</h2>
            <p class="quiet">{t(w::SPEND_HINT)}</p>
            <form method="get" action="/audit/sampling" class="filters" data-testid="budget-form">
                <input type="hidden" name="task" value=page.task.clone()/>
                <label class="field"><span>{t(w::BUDGET)}</span>
                    <input type="number" name="budget" min="1" max="1000000" value=asked required/></label>
                <button>{t(w::ALLOCATE)}</button>
            </form>
            {page.allocation.as_ref().map(|it| allocation(reader, page, it))}
        </section>
    }
    .into_any()
}

fn allocation(reader: &Reader, page: &SamplingPage, of: &AuditAllocation) -> AnyView {
    let t = reader.words();
    let rows = of.strata.iter().map(|it| {
        let verdict = t(if it.verdict == "pass" { w::JUDGE_PASS } else { w::JUDGE_FAIL });
        view! {
            <tr><th scope="row">{verdict}</th><td class="number">{natural(it.size)}</td>
                <td>{figure(reader, &it.pass_rate, 0.0)}</td><td class="number">{format!("{:.2}", it.spread)}</td>
                <td class="number">{natural(it.labels)}</td><td class="number">{format!("{:.4}", it.rate)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    let AuditSampling { rate_pass, rate_fail, floor } = of.sampling;
    let hidden = [("rate_pass", rate_pass), ("rate_fail", rate_fail), ("floor", floor)]
        .map(|(name, value)| view! { <input type="hidden" name=name value=value.to_string()/> });
    view! {
        <div class="table-frame" tabindex="0"><table data-testid="allocation">
            <thead><tr><th scope="col">{t(w::VERDICT)}</th><th scope="col" class="number">{t(w::SAMPLES)}</th>
                <th scope="col">{t(w::PEOPLE_PASS)}</th><th scope="col" class="number">{t(w::SPREAD)}</th>
                <th scope="col" class="number">{t(w::LABELS)}</th><th scope="col" class="number">"π"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <form method="post" action="/audit/sampling">
            <input type="hidden" name="task" value=page.task.clone()/>{hidden.collect_view()}
            <button class="primary">{t(w::SET_THESE)}</button>
        </form>
    }
    .into_any()
}
