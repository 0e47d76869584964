//! `/audit`: every judge's cards, with one sentence on top for what may be concluded.

use super::{address, figure, natural, tabs};
use crate::document::Reader;
use crate::i18n::{audit as w, common};
use concord_domain::{AuditFilter, AuditReport, Card};
use leptos::prelude::*;

/// The overview.
#[must_use]
pub fn overview(reader: &Reader, report: &AuditReport, filter: &AuditFilter) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        let body = if report.cards.is_empty() {
            empty(reader)
        } else {
            judges(report).into_iter().map(|cards| judge(reader, &cards)).collect_view().into_any()
        };
        let waiting = (report.waiting > 0).then(|| {
            view! { <p class="notice" role="status">{w::waiting(reader.lang(), report.waiting)}</p> }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/audit")}</div>
                {filters(reader, filter)}
                {waiting}
                {body}
            </div>
        }
        .into_any()
    })
}

/// Cards by task and judge, in the report's order.
fn judges(report: &AuditReport) -> Vec<Vec<&Card>> {
    let mut groups: Vec<Vec<&Card>> = Vec::new();
    for card in &report.cards {
        let of = |other: &Card| (other.task.clone(), other.judge.clone(), other.rubric.clone());
        match groups.iter_mut().find(|group| of(group[0]) == of(card)) {
            Some(group) => group.push(card),
            None => groups.push(vec![card]),
        }
    }
    groups
}

fn filters(reader: &Reader, filter: &AuditFilter) -> AnyView {
    let t = reader.words();
    let field = |name: &'static str, words: &'static str, value: &Option<String>| {
        view! { <label class="field"><span>{words}</span><input type="text" name=name value=value.clone()/></label> }
    };
    let rule = filter.reference.clone().unwrap_or_else(|| "majority".into());
    let option = |value: &'static str| {
        let selected = rule == value;
        view! { <option value=value selected=selected>{value}</option> }
    };
    view! {
        <form method="get" action="/audit" class="filters">
            {field("task", t(w::TASK), &filter.task)}
            {field("judge", t(w::JUDGE), &filter.judge)}
            <label class="field"><span>{t(w::REFERENCE)}</span><select name="reference">
                {["majority", "unanimous", "adjudicated"].map(option).collect_view()}
            </select></label>
            <button>{t(w::SHOW)}</button>
            <a class="button" href="/audit/cards.csv">{t(w::CSV)}</a>
        </form>
    }
    .into_any()
}

fn empty(reader: &Reader) -> AnyView {
    let t = reader.words();
    view! {
        <section class="card stack" data-testid="audit-empty">
            <h2>{t(w::NOTHING)}</h2>
            <p>{t(w::NOTHING_HINT)}</p>
            <pre class="command" tabindex="0">"concord import labels FILE.jsonl --format jsonl\nconcord import verdicts FILE.jsonl --format jsonl"</pre>
            <p><a class="button" href="/review">{t(common::REVIEW)}</a></p>
        </section>
    }
    .into_any()
}

fn judge(reader: &Reader, cards: &[&Card]) -> AnyView {
    let t = reader.words();
    let first = cards[0];
    let rows = cards.iter().map(|card| row(reader, card)).collect_view();
    let imported = (first.reference.blindness == "imported")
        .then(|| view! { <p class="quiet small">{t(w::LABELLED_ELSEWHERE)}</p> });
    view! {
        <section class="card" data-testid="audit-judge">
            <h2>{common::task(reader.lang(), &first.task)} " · " <span class="judge-name">{first.judge.clone()}</span></h2>
            {sentences(reader, cards)}
            {imported}
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr>
                    <th scope="col">{t(w::CRITERION)}</th>
                    <th scope="col" class="number">"n"</th>
                    <th scope="col">{t(w::AGREEMENT)}</th>
                    <th scope="col">{t(w::SPECIFICITY)}</th>
                    <th scope="col">{t(w::KAPPA)}</th>
                    <th scope="col">{t(w::AC1)}</th>
                    <th scope="col">{t(w::ALPHA)}</th>
                    <th scope="col">{t(w::CORRECTED)}</th>
                    <th scope="col">{t(w::DRIFT)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            <p class="quiet small">{t(w::SHARE_AXIS)}</p>
        </section>
    }
    .into_any()
}

/// The conclusion: what may be accepted, or that nothing may.
fn sentences(reader: &Reader, cards: &[&Card]) -> AnyView {
    let lang = reader.lang();
    let live: Vec<String> = cards
        .iter()
        .flat_map(|card| card.certificates.iter().map(move |certificate| (card, certificate)))
        .filter(|(_, certificate)| certificate.status == "live")
        .map(|(card, it)| w::may_accept(lang, &it.verdict, &w::criterion(lang, &card.criterion), it))
        .collect();
    let labels = cards.iter().find(|card| card.criterion == "*").map_or(0, |card| card.n);
    let words = if live.is_empty() { vec![w::none_live(lang, labels)] } else { live };
    words.into_iter().map(|words| view! { <p class="conclusion">{words}</p> }).collect_view().into_any()
}

fn row(reader: &Reader, card: &Card) -> AnyView {
    let lang = reader.lang();
    let href = address("card", &card.task, &card.criterion, &card.judge);
    let states = card.drift.iter().map(|monitor| {
        let class = if monitor.state == "alarm" { "state bad" } else { "state" };
        let verdict = if monitor.verdict == "pass" { common::PASS } else { common::FAIL };
        view! { <div class="nowrap"><span class="quiet">{verdict.get(lang)} ": "</span><span class=class>{w::state(lang, &monitor.state)}</span></div> }
    });
    let states = states.collect_view();
    view! {
        <tr data-testid="audit-row">
            <th scope="row"><a href=href>{w::criterion(lang, &card.criterion)}</a></th>
            <td class="number">{natural(card.n)}</td>
            <td>{figure(reader, &card.accuracy, 0.0)}</td>
            <td>{figure(reader, &card.specificity, 0.0)}</td>
            <td>{figure(reader, &card.kappa.estimate, -1.0)}</td>
            <td>{figure(reader, &card.ac1, -1.0)}</td>
            <td>{figure(reader, &card.humans.alpha, -1.0)}</td>
            <td>{figure(reader, &card.pass_rate.corrected, 0.0)}</td>
            <td>{states}</td>
        </tr>
    }
    .into_any()
}
