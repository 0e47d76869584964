//! `/judges/{task}/probes`: what the judge said of planted negatives and of changes that should change nothing.

use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{audit as a, common, count, judges as w, moment};
use concord_domain::{Change, Negative, ProbeReport};
use leptos::prelude::*;

/// The runs of a task, newest first.
#[must_use]
pub fn probes(reader: &Reader, task: &str, runs: &[ProbeReport]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let name = common::task(lang, task);
    reader.render(&format!("{} · {name}", t(w::PROBES)), || {
        let body = if runs.is_empty() {
            view! { <section class="card"><p>{t(w::NO_PROBES)}</p><p class="quiet">{t(w::PROBES_HINT)}</p></section> }.into_any()
        } else {
            runs.iter().map(|it| run(reader, it)).collect_view().into_any()
        };
        view! {
            <div class="page">
                <p class="small"><a href="/judges">"← " {t(w::BACK)}</a></p>
                <h1>{t(w::PROBES)} " · " <span class="quiet">{name}</span></h1>
                {body}
            </div>
        }
        .into_any()
    })
}

fn run(reader: &Reader, of: &ProbeReport) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let heading = format!("run-{}", of.id);
    let state = of.finished_at.is_none().then(|| view! { <span class="state">{t(w::RUNNING)}</span> });
    let weakest = of
        .negatives
        .iter()
        .filter_map(|it| Some((it, it.specificity.est?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(it, share)| (it.kind.clone(), a::criterion(lang, &it.criterion), share, it.specificity.n));
    let sentence = of.finished_at.map(|_| {
        let weakest = weakest
            .as_ref()
            .map(|(kind, criterion, share, n)| (kind.as_str(), criterion.as_str(), *share, *n));
        view! { <p class="conclusion">{w::conclusion(lang, weakest)}</p> }
    });
    view! {
        <section class="card stack" aria-labelledby=heading.clone() data-testid="probe-run">
            <h2 id=heading.clone()>{moment(lang, of.at)} " " {state}</h2>
            <p class="judge-name quiet">{of.judge.clone()} {format!(" · {} {} · {} {}", of.samples, t(w::SAMPLES), t(w::SEED), of.seed)}</p>
            {sentence}
            {negatives(reader, &of.negatives)}
            {changes(reader, &of.changes)}
        </section>
    }
    .into_any()
}

fn natural(n: u64) -> String {
    count(i64::try_from(n).unwrap_or(i64::MAX))
}

fn negatives(reader: &Reader, all: &[Negative]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if all.is_empty() {
        return ().into_any();
    }
    let rows = all.iter().map(|it| {
        view! {
            <tr><th scope="row">{w::kind(lang, &it.kind)}</th><td>{a::criterion(lang, &it.criterion)}</td>
                <td>{figure(reader, &it.specificity, 0.0)}</td><td class="number">{natural(it.n_unparsed)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <h3>{t(w::NEGATIVES)}</h3>
        <p class="quiet small">{t(w::NEGATIVES_HINT)}</p>
        <div class="table-frame" tabindex="0"><table class="audit-table">
            <thead><tr><th scope="col">{t(w::KIND)}</th><th scope="col">{t(w::CRITERION)}</th>
                <th scope="col">{t(w::CAUGHT)}</th><th scope="col" class="number">{t(w::UNREAD)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn changes(reader: &Reader, all: &[Change]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if all.is_empty() {
        return ().into_any();
    }
    let rows = all.iter().map(|it| {
        let stay = it.flips.est.map(|flips| format!("{:.0} % {}", (1.0 - flips) * 100.0, t(w::CONSISTENT)));
        let p = it.p.map_or_else(|| "–".to_owned(), |p| if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") });
        let shift = it.mean_shift.map_or_else(|| "–".to_owned(), |shift| format!("{shift:+.3}"));
        view! {
            <tr><th scope="row">{w::kind(lang, &it.kind)}</th><td>{a::criterion(lang, &it.criterion)}</td>
                <td>{figure(reader, &it.flips, 0.0)} <div class="quiet small">{stay}</div></td>
                <td class="number">{natural(it.pass_to_fail)}</td><td class="number">{natural(it.fail_to_pass)}</td>
                <td class="number">{p}</td><td class="number">{shift}</td><td class="number">{natural(it.n_unparsed)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <h3>{t(w::CHANGES)}</h3>
        <div class="table-frame" tabindex="0"><table class="audit-table">
            <thead><tr><th scope="col">{t(w::KIND)}</th><th scope="col">{t(w::CRITERION)}</th><th scope="col">{t(w::FLIPS)}</th>
                <th scope="col" class="number">{t(w::PASS_TO_FAIL)}</th><th scope="col" class="number">{t(w::FAIL_TO_PASS)}</th>
                <th scope="col" class="number">{t(w::P_VALUE)}</th><th scope="col" class="number">{t(w::SHIFT)}</th>
                <th scope="col" class="number">{t(w::UNREAD)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
