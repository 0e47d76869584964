//! The judge pages: what each judge is made of, what its probabilities are worth, and how it holds up when it is
//! probed. Documents, as the audit's.

mod forms;
mod heads;
mod probes;

pub use heads::heads;
pub use probes::probes;

use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{audit as a, common, count, judge_heads as h, judges as w, moment};
use crate::ui::icon::Mark;
use concord_domain::{
    CalibrationMeasures, CriterionJudge, Estimate, JudgeHead, JudgeParts, PastJudge, TaskJudge,
};
use leptos::prelude::*;

/// The judges of all tasks; `said` is what a form has just done.
#[must_use]
pub fn overview(reader: &Reader, judges: &[TaskJudge], said: Option<&str>) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        let said = said.and_then(|word| match word {
            "calibrated" => Some(w::DONE_CALIBRATED),
            "queued" => Some(w::QUEUED),
            _ => None,
        });
        let said = said.map(|words| view! { <p class="conclusion" role="status">{t(words)}</p> });
        let sections = judges.iter().map(|judge| section(reader, judge)).collect_view();
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1></div>
                {said}
                <p class="conclusion">{t(w::LEAD)}</p>
                {sections}
            </div>
        }
        .into_any()
    })
}

fn section(reader: &Reader, of: &TaskJudge) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let heading = format!("judge-{}", of.task);
    let body = match (&of.judge, &of.parts) {
        (Some(judge), Some(parts)) => judged(reader, of, judge, parts),
        _ => {
            let command = format!("concord judge --task {}", of.task);
            view! {
                <h3>{t(w::NONE)}</h3>
                <p>{t(w::NONE_HINT)}</p>
                <pre class="command" tabindex="0">{command}</pre>
            }
            .into_any()
        }
    };
    view! {
        <section class="card stack" aria-labelledby=heading.clone() data-testid="judge">
            <h2 id=heading.clone()>{common::task(lang, &of.task)} " " <span class="quiet">{format!("{} {}", t(a::RUBRIC), of.rubric)}</span></h2>
            {body}
            {forms::forms(reader, of)}
        </section>
    }
    .into_any()
}

fn judged(reader: &Reader, of: &TaskJudge, judge: &str, parts: &JudgeParts) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let pair = |name: &'static str, value: String| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let sets = if of.sets > 1 { format!("{} · {}", of.sets, t(w::SETS_COST)) } else { of.sets.to_string() };
    let warning = of
        .shares_family
        .then(|| view! { <p class="form-error" data-testid="shared-family">{t(w::FAMILY_SHARED)}</p> });
    let families: Vec<String> =
        of.generators.iter().map(|(family, n)| format!("{family} ({})", count(*n))).collect();
    view! {
        <p class="judge-name" data-testid="judge-name"><b>{judge.to_owned()}</b></p>
        {warning}
        <dl class="pairs">
            {pair(t(w::MODEL), format!("{} ({}) · {}", parts.model, parts.family, families.join(", ")))}
            {pair(t(w::WEIGHTS), parts.hash.clone())}
            {pair(t(w::BACKEND), parts.backend.clone())}
            {pair(t(w::PROMPT), parts.prompt.clone())}
            {pair(t(w::SETS), sets)}
            {pair(t(w::JUDGED), w::judged(lang, of))}
        </dl>
        {criteria(reader, of)}
        {history(reader, &of.history)}
    }
    .into_any()
}

fn criteria(reader: &Reader, of: &TaskJudge) -> AnyView {
    let t = reader.words();
    let rows = of.criteria.iter().map(|it| criterion(reader, it)).collect_view();
    view! {
        <h3>{t(w::CRITERIA)}</h3>
        <div class="table-frame" tabindex="0"><table class="audit-table">
            <thead><tr>
                <th scope="col">{t(w::CRITERION)}</th>
                <th scope="col">{t(w::LABELS)}</th>
                <th scope="col">{t(w::CALIBRATION)}</th>
                <th scope="col">{t(w::ECE)}</th><th scope="col">{t(w::BRIER)}</th><th scope="col">{t(w::AUROC)}</th>
                <th scope="col">{t(w::LETS_THROUGH)}<div class="quiet small">{t(w::LETS_THROUGH_HINT)}</div></th>
                <th scope="col">{t(w::EXAMPLES)}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="quiet small">{t(w::MEASURED)}</p>
    }
    .into_any()
}

fn criterion(reader: &Reader, of: &CriterionJudge) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let calibration = match (&of.calibration, &of.head) {
        (_, Some(it)) => head(reader, it),
        (None, None) => view! { <span class="quiet">{t(w::UNCALIBRATED)}</span> }.into_any(),
        (Some(it), None) => view! {
            <b>{it.method.clone()}</b>
            <div class="quiet small">{format!("n = {} ({} {}, {} {})", count(it.n), count(it.n_pass), t(common::PASS), count(it.n - it.n_pass), t(common::FAIL))}</div>
            <div class="quiet small">{moment(lang, it.at)}</div>
        }
        .into_any(),
    };
    let both = |part: fn(&CalibrationMeasures) -> &Estimate| {
        let line = |words: &'static str, of: &Estimate| view! { <div><span class="quiet small">{words}</span> " " {figure(reader, of, 0.0)}</div> };
        let of_head = of.head.as_ref().map(|it| (&it.before, &it.after));
        let measured = of_head.or_else(|| of.calibration.as_ref().map(|it| (&it.before, &it.after)));
        let shown = measured.map(|(before, after)| {
            view! { {line(t(w::BEFORE), part(before))} {line(t(w::AFTER), part(after))} }
        });
        view! { <td>{shown.map_or_else(|| "–".into_any(), IntoAny::into_any)}</td> }
    };
    let through: Vec<AnyView> = of
        .passes_of_human_fails
        .iter()
        .map(|(family, estimate)| view! { <div><span class="quiet small">{family.clone()}</span> " " {figure(reader, estimate, 0.0)}</div> }.into_any())
        .collect();
    let through = if through.is_empty() {
        view! { <span class="quiet small">{t(a::NOT_ESTIMABLE)} ": " {t(w::NO_HUMAN_FAILS)}</span> }
            .into_any()
    } else {
        through.collect_view().into_any()
    };
    view! {
        <tr data-testid="judge-criterion">
            <th scope="row">{a::criterion(lang, &of.criterion)}</th>
            <td class="nowrap">{format!("{} {}, {} {}", count(of.labelled_pass), t(common::PASS), count(of.labelled_fail), t(common::FAIL))}</td>
            <td>{calibration}</td>
            {both(|it| &it.ece)}{both(|it| &it.brier)}{both(|it| &it.auroc)}
            <td>{through}</td>
            <td>{examples(reader, of)}</td>
        </tr>
    }
    .into_any()
}

fn head(reader: &Reader, of: &JudgeHead) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let weights = of
        .weights
        .iter()
        .map(|(name, weight)| view! { <li><code>{name.clone()}</code> {format!(" {weight:+.2}")}</li> })
        .collect_view();
    view! {
        <b>{t(h::HEAD)}</b>
        <div class="quiet small">{format!("n = {} ({} {}, {} {}), {} {}", count(of.n), count(of.n_pass), t(common::PASS), count(of.n - of.n_pass), t(common::FAIL), count(of.kept), t(h::KEPT))}</div>
        <div class="quiet small">{h::shares(lang, of.trained_share, of.true_share)}</div>
        <details><summary class="small">{t(h::WEIGHTS)}</summary><ul>{weights}</ul></details>
        <div class="quiet small">{moment(lang, of.at)}</div>
    }
    .into_any()
}

fn examples(reader: &Reader, of: &CriterionJudge) -> AnyView {
    let t = reader.words();
    if of.examples.is_empty() {
        return view! { <span class="quiet small">{t(w::NO_EXAMPLES)}</span> }.into_any();
    }
    let rows = of.examples.iter().map(|it| {
        let words = if it.pass { t(common::PASS) } else { t(common::FAIL) };
        view! {
            <li><span class="side"><Mark pass=it.pass/>{words}</span> " "
                <a href=format!("/samples/{}", it.sample)>{it.text.clone()}</a>
                <span class="quiet small">{format!(" · {} {}", t(w::SET), it.set + 1)}</span></li>
        }
    });
    let rows = rows.collect_view();
    view! { <details><summary>{count(i64::try_from(of.examples.len()).unwrap_or(0))}</summary><ul class="stack">{rows}</ul></details> }
        .into_any()
}

fn history(reader: &Reader, past: &[PastJudge]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = past.iter().map(|it| {
        let to = it.to.map_or_else(|| t(w::NOW).to_owned(), |to| moment(lang, to));
        view! {
            <tr><th scope="row" class="judge-name">{it.judge.clone()}</th><td>{w::why(lang, &it.why)}</td>
                <td class="nowrap">{moment(lang, it.from)}</td><td class="nowrap">{to}</td>
                <td>{it.by.clone().unwrap_or_else(|| t(w::PROGRAM).to_owned())}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <details><summary>{t(w::HISTORY)} " (" {count(i64::try_from(past.len()).unwrap_or(0))} ")"</summary>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::TITLE)}</th><th scope="col">{t(w::WHY)}</th><th scope="col">{t(w::SINCE)}</th>
                    <th scope="col">{t(w::UNTIL)}</th><th scope="col">{t(w::BY)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </details>
    }
    .into_any()
}
