//! `/audit/drift`: is a judge getting worse?

use super::{address, chart, natural, tabs};
use crate::document::Reader;
use crate::i18n::{audit as w, common, moment};
use concord_domain::{DriftMonitor, Investigation};
use leptos::prelude::*;

/// The page of all monitors.
#[must_use]
pub fn drift(reader: &Reader, monitors: &[DriftMonitor], investigations: &[Investigation]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    reader.render(t(w::MONITORS), || {
        let opened = investigations.iter().map(|it| {
            let state = t(if it.closed_at.is_some() { w::CLOSED } else { w::OPEN });
            let verdict = if it.monitor.shown.verdict == "pass" { common::PASS } else { common::FAIL };
            view! {
                <tr><th scope="row"><a href=format!("/audit/investigations/{}", it.id)>
                    {w::criterion(lang, &it.monitor.criterion)} " · " {verdict.get(lang)}</a></th>
                    <td>{state}</td><td>{moment(lang, it.opened_at)}</td></tr>
            }
        });
        let opened = if investigations.is_empty() {
            view! { <p class="quiet">{t(w::NO_INVESTIGATIONS)}</p> }.into_any()
        } else {
            view! { <table><tbody>{opened.collect_view()}</tbody></table> }.into_any()
        };
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::MONITORS)}</h1>{tabs(reader, "/audit/drift")}</div>
                <p class="quiet">{t(w::MONITOR_HINT)}</p>
                <section class="card"><h2>{t(w::INVESTIGATIONS)}</h2>{opened}</section>
                {monitors.iter().map(|it| monitor(reader, it)).collect_view()}
            </div>
        }
        .into_any()
    })
}

/// A monitor: its state in words, the statistic against the alarm line, the band, and the numbers.
pub(super) fn monitor(reader: &Reader, of: &DriftMonitor) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let verdict = if of.shown.verdict == "pass" { common::PASS } else { common::FAIL };
    let name = format!("{} · {}", w::criterion(lang, &of.criterion), verdict.get(lang));
    let state = w::state(lang, &of.shown.state);
    let class = if of.shown.state == "ok" { "state" } else { "state bad" };
    let interval = of.ci.map(|(low, high)| format!("{low:.2}–{high:.2}"));
    let said = match interval {
        None => t(w::NO_LABELS_YET).to_owned(),
        Some(interval) => format!(
            "{}: {} / {} ({interval}), p₀ = {:.2}, e-SR = {}, {} {:.0}",
            t(w::AGREEMENT),
            natural(of.agreed),
            natural(of.shown.n),
            of.shown.p0,
            statistic(of.shown.statistic),
            t(w::ALARM_LINE),
            of.shown.alarm_at
        ),
    };
    let charts = (!of.points.is_empty()).then(|| {
        let title = format!("{name}: {state}, {said}");
        view! { {chart::statistic(of, title.clone(), t(w::ALARM_LINE))}{chart::band(of, title)} }
    });
    let rows = of.points.iter().map(|(n, statistic, low, high)| {
        view! { <tr><td class="number">{natural(*n)}</td><td class="number">{self::statistic(*statistic)}</td>
        <td class="number">{format!("{low:.3}–{high:.3}")}</td></tr> }
    });
    let data = (!of.points.is_empty()).then(|| {
        view! {
            <details><summary>{t(w::DATA)}</summary><div class="table-frame" tabindex="0"><table class="compact">
                <thead><tr><th scope="col" class="number">"n"</th><th scope="col" class="number">{t(w::STATISTIC)}</th>
                    <th scope="col" class="number">{t(w::AGREEMENT)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody></table></div></details>
        }
    });
    let rang = of.alarm_n.map(|n| {
        let hash = of.alarm_hash.clone().unwrap_or_default();
        view! { <p class="quiet small">{t(w::RANG_AT)} " " {natural(n)} " · SHA-256 " <code class="hash">{hash}</code></p> }
    });
    let investigation = of.investigation.map(|id| {
        view! { <p><a href=format!("/audit/investigations/{id}")>{t(w::INVESTIGATION)}</a></p> }
    });
    view! {
        <section class="card" data-testid="monitor">
            <h2><a href=address("card", &of.task, &of.criterion, &of.judge)>{name}</a> " "
                <span class=class data-testid="monitor-state">{state}</span></h2>
            <p class="quiet small">{common::task(lang, &of.task)} " · " {of.judge.clone()}</p>
            <p>{said}</p>
            {charts}{rang}{data}{investigation}
        </section>
    }
    .into_any()
}

/// A statistic as people read it: beyond a million its size is enough.
fn statistic(value: f64) -> String {
    if value < 1e6 { format!("{value:.1}") } else { format!("{value:.1e}") }
}
