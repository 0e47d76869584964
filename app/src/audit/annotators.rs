//! `/audit/annotators`: the people who label: skill, gold, consistency, time, and what they do after the reveal.
//! For leads alone.

use super::{figure, natural, tabs};
use crate::document::Reader;
use crate::i18n::{annotators as w, audit as aw, common};
use concord_domain::{Anchoring, AnnotatorReport, Estimate};
use leptos::prelude::*;

/// The page.
#[must_use]
pub fn annotators(reader: &Reader, people: &[AnnotatorReport], anchoring: &[Anchoring]) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        let body = if people.is_empty() {
            view! {
                <section class="card stack" data-testid="annotators-empty"><h2>{t(w::NONE)}</h2><p>{t(w::NONE_HINT)}</p></section>
            }
            .into_any()
        } else {
            view! { {table(reader, people)}{by_criterion(reader, people)} }.into_any()
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/audit/annotators")}</div>
                {conclusion(reader, people)}
                {body}
                {anchors(reader, anchoring)}
            </div>
        }
        .into_any()
    })
}

fn conclusion(reader: &Reader, people: &[AnnotatorReport]) -> AnyView {
    let flagged: Vec<String> = people.iter().filter(|it| it.flagged).map(|it| it.rater.clone()).collect();
    if people.is_empty() {
        return ().into_any();
    }
    view! { <p class="conclusion" data-testid="annotators-conclusion">{w::flagged(reader.lang(), &flagged)}</p> }.into_any()
}

fn table(reader: &Reader, people: &[AnnotatorReport]) -> AnyView {
    let t = reader.words();
    let rows = people.iter().map(|it| {
        let state = if it.flagged {
            let p = it.gold_p.map(|p| format!(" p = {p:.4}"));
            view! { <span class="state bad" data-testid="flagged">{t(w::FLAGGED)}{p}</span> }.into_any()
        } else {
            ().into_any()
        };
        view! {
            <tr data-testid="annotator">
                <th scope="row" class="judge-name">{it.rater.clone()}<div class="quiet small">{w::counts(reader.lang(), it.labels, it.samples)}</div></th>
                <td>{figure(reader, &it.skill, 0.0)}<div class="quiet small">{it.skill.method.clone()}</div></td>
                <td>{figure(reader, &it.gold, 0.0)}<div>{state}</div></td>
                <td>{figure(reader, &it.consistency, 0.0)}</td>
                <td>{seconds(reader, &it.seconds)}</td>
                <td>{figure(reader, &it.hasty, 0.0)}</td>
                <td>{figure(reader, &it.over_reliance, 0.0)}</td>
            </tr>
        }
    });
    view! {
        <section class="card" aria-labelledby="people">
            <div class="page-top"><h2 id="people">{t(w::PEOPLE)}</h2><a class="button" href="/audit/annotators.csv">{t(aw::CSV)}</a></div>
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr><th scope="col">{t(w::WHO)}</th><th scope="col">{t(w::SKILL)}</th><th scope="col">{t(w::GOLD)}</th>
                    <th scope="col">{t(w::CONSISTENCY)}</th><th scope="col">{t(w::SECONDS)}</th>
                    <th scope="col">{t(w::HASTY)}</th><th scope="col">{t(w::RELIANCE)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
            <p class="quiet small">{t(w::HINT)}</p>
        </section>
    }
    .into_any()
}

/// Seconds with their interval: no share, so on no axis of shares.
fn seconds(reader: &Reader, of: &Estimate) -> AnyView {
    let t = reader.words();
    let Some(est) = of.est else {
        let why = of.why.clone().unwrap_or_default();
        return view! { <span class="quiet small">{t(aw::NOT_ESTIMABLE)} ": " {why}</span> }.into_any();
    };
    let interval =
        of.ci.map_or_else(|| t(aw::NO_INTERVAL).to_owned(), |(from, to)| format!("{from:.1}–{to:.1} s"));
    view! { <b class="nowrap">{format!("{est:.1} s")}</b><div class="quiet small nowrap">{format!("{interval}, n = {}", natural(of.n))}</div> }.into_any()
}

fn by_criterion(reader: &Reader, people: &[AnnotatorReport]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = people.iter().flat_map(|it| it.skill_by.iter().map(move |skill| (it, skill))).map(|(it, skill)| {
        view! {
            <tr><th scope="row" class="judge-name">{it.rater.clone()}</th>
                <td>{common::task(lang, &skill.task)} " · " {aw::criterion(lang, &skill.criterion)}</td>
                <td>{figure(reader, &skill.skill, 0.0)}</td><td class="quiet small">{skill.skill.method.clone()}</td></tr>
        }
    });
    view! {
        <section class="card"><details><summary>{t(w::BY_CRITERION)}</summary>
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr><th scope="col">{t(w::WHO)}</th><th scope="col">{t(aw::CRITERION)}</th>
                    <th scope="col">{t(w::SKILL)}</th><th scope="col">{t(aw::METHOD)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
        </details></section>
    }
    .into_any()
}

fn anchors(reader: &Reader, all: &[Anchoring]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if all.is_empty() {
        return ().into_any();
    }
    let rows = all.iter().map(|it| {
        view! {
            <tr data-testid="anchoring"><th scope="row">{common::task(lang, &it.task)}<div class="quiet small judge-name">{it.judge.clone()}</div></th>
                <td>{figure(reader, &it.towards, 0.0)}</td><td>{figure(reader, &it.away, 0.0)}</td>
                <td>{figure(reader, &it.assisted, 0.0)}</td><td>{figure(reader, &it.blind, 0.0)}</td>
                <td>{figure(reader, &it.difference, -1.0)}</td></tr>
        }
    });
    view! {
        <section class="card" aria-labelledby="anchoring">
            <h2 id="anchoring">{t(w::ANCHORING)}</h2>
            <p class="quiet small">{t(w::ANCHORING_HINT)}</p>
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr><th scope="col">{t(aw::JUDGE)}</th><th scope="col">{t(w::TOWARDS)}</th><th scope="col">{t(w::AWAY)}</th>
                    <th scope="col">{t(w::ASSISTED)}</th><th scope="col">{t(w::BLIND)}</th><th scope="col">{t(w::DIFFERENCE)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}
