//! `/judges/{task}/heads`: what was trained on people's labels, and what the audit half says of the judge that it made.

use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{audit as a, common, count, judge_heads as w, judges, moment};
use concord_domain::{Estimate, HeadOutcome, HeadRequest, HeadRun, JudgesCompared};
use leptos::prelude::*;

/// The runs of a task, newest first.
#[must_use]
pub fn heads(reader: &Reader, task: &str, runs: &[HeadRun]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let name = common::task(lang, task);
    reader.render(&format!("{} · {name}", t(w::HEADS)), || {
        let body = if runs.is_empty() {
            view! { <section class="card"><p>{t(w::NO_RUNS)}</p></section> }.into_any()
        } else {
            runs.iter().map(|it| run(reader, it)).collect_view().into_any()
        };
        view! {
            <div class="page">
                <p class="small"><a href="/judges">"← " {t(judges::BACK)}</a></p>
                <h1>{t(w::HEADS)} " · " <span class="quiet">{name}</span></h1>
                <p class="conclusion">{t(w::LEAD)}</p>
                {form(reader, task, !runs.is_empty())}
                {body}
            </div>
        }
        .into_any()
    })
}

fn form(reader: &Reader, task: &str, trained: bool) -> AnyView {
    let t = reader.words();
    let usual = HeadRequest::default();
    let number = |name: &'static str,
                  words: &'static str,
                  value: f64,
                  min: &'static str,
                  max: &'static str| {
        view! { <label class="field"><span>{words}</span><input type="number" name=name value=value.to_string() min=min max=max step="any" required/></label> }
    };
    let drop = trained.then(|| {
        view! {
            <form method="post" action=format!("/judges/{task}/heads/drop") class="inline-form">
                <p class="quiet small">{t(w::DROP_HINT)}</p>
                <button data-testid="drop-head">{t(w::DROP)}</button>
            </form>
        }
    });
    view! {
        <section class="card stack">
            <form method="post" action=format!("/judges/{task}/heads") class="inline-form">
                {number("ratio", t(w::RATIO), usual.ratio, "0.5", "100")}
                {number("half_life_days", t(w::HALF_LIFE), usual.half_life_days, "0.1", "36500")}
                {number("ridge", t(w::RIDGE), usual.ridge, "0.000001", "1000000")}
                {number("kappa_margin", t(w::MARGIN), usual.kappa_margin, "0", "1")}
                {number("seed", t(judges::SEED), 1.0, "0", "9007199254740991")}
                <label class="choice"><input type="checkbox" name="similarities" value="on" checked/>{t(w::SIMILARITIES)}</label>
                <button data-testid="train-head">{t(w::TRAIN)}</button>
            </form>
            {drop}
        </section>
    }
    .into_any()
}

fn run(reader: &Reader, of: &HeadRun) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let heading = format!("run-{}", of.id);
    let outcome = of.outcome.as_ref().map(|it| said(reader, it));
    let judge = |words: &'static str, name: &Option<String>| {
        name.clone()
            .map(|name| view! { <p class="judge-name"><span class="quiet">{words}</span> " " {name}</p> })
    };
    let how = format!(
        "{} {} · {} {} · {} {} · {} {}",
        t(w::RATIO),
        of.request.ratio,
        t(w::HALF_LIFE),
        of.request.half_life_days,
        t(w::RIDGE),
        of.request.ridge,
        t(judges::SEED),
        of.request.seed
    );
    view! {
        <section class="card stack" aria-labelledby=heading.clone() data-testid="head-run">
            <h2 id=heading.clone()>{moment(lang, of.at)} " " <span class="state" data-testid="head-state">{w::state(lang, &of.state)}</span></h2>
            {judge(t(w::STOOD), &of.before_judge)}
            {judge(t(w::MADE), &of.judge)}
            <p class="quiet small">{how}</p>
            {outcome}
        </section>
    }
    .into_any()
}

fn said(reader: &Reader, of: &HeadOutcome) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let list = |words: &'static str, lines: Vec<String>| {
        (!lines.is_empty()).then(|| {
            let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
            view! { <h3>{words}</h3><ul>{lines}</ul> }
        })
    };
    let untrained =
        of.untrained.iter().map(|(name, why)| format!("{}: {why}", a::criterion(lang, name))).collect();
    view! {
        {list(t(w::REFUSED), of.refused.clone())}
        {list(t(w::UNTRAINED), untrained)}
        {compared(reader, &of.compared)}
    }
    .into_any()
}

fn compared(reader: &Reader, all: &[JudgesCompared]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if all.iter().all(|it| it.n == 0) {
        return ().into_any();
    }
    let three = |of: &[Estimate; 3]| {
        let line = |words: &'static str, of: &Estimate| view! { <div><span class="quiet small">{words}</span> " " {figure(reader, of, 0.0)}</div> };
        view! { <td>{line(t(w::OLD), &of[0])}{line(t(w::NEW), &of[1])}{line(t(w::GAIN), &of[2])}</td> }
    };
    let rows = all.iter().map(|it| {
        let name =
            if it.criterion == "*" { t(w::TOGETHER).to_owned() } else { a::criterion(lang, &it.criterion) };
        let whole = |n: u64| count(i64::try_from(n).unwrap_or(i64::MAX));
        view! {
            <tr data-testid="head-compared"><th scope="row">{name}</th><td class="number">{whole(it.n)}</td>
                {three(&it.specificity)}{three(&it.kappa)}
                <td class="number">{whole(it.only_right.0)} " / " {whole(it.only_right.1)}</td>
                <td class="number">{it.p.map_or_else(|| "–".to_owned(), |p| format!("{p:.4}"))}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <h3>{t(w::COMPARED)}</h3>
        <div class="table-frame" tabindex="0"><table class="audit-table">
            <thead><tr><th scope="col">{t(judges::CRITERION)}</th><th scope="col" class="number">{t(w::DECISIONS)}</th>
                <th scope="col">{t(w::SPECIFICITY)}</th><th scope="col">"κ"</th>
                <th scope="col" class="number">{t(w::ONLY_RIGHT)}</th><th scope="col" class="number">{t(judges::P_VALUE)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="quiet small">{t(w::COMPARED_HINT)}</p>
    }
    .into_any()
}
