//! `/audit/card`: one judge on one criterion: the cells, every estimate, reliability, slices, other judges, and the
//! certificates with the form that attempts one.

use super::certificates::{attempts, issue_form};
use super::{address, chart, figure, natural, tabs};
use crate::document::Reader;
use crate::i18n::{audit as w, common};
use concord_domain::{
    Card, CaseFilter, Certificate, CertificateRequest, Error, Estimate, JudgePair, Reliability, Slice,
};
use leptos::prelude::*;

/// What the page of a card shows.
#[derive(Debug)]
pub struct CardPage {
    /// The card.
    pub card: Card,
    /// How sure it is against how often it is right; `None` for whole samples and pooled decisions.
    pub reliability: Option<Reliability>,
    /// By category, language, generator and annotator.
    pub slices: Vec<Slice>,
    /// Against other judges.
    pub pairs: Vec<JudgePair>,
    /// Attempts and certificates of this card.
    pub certificates: Vec<Certificate>,
    /// What was entered when an attempt was refused, and why.
    pub refused: Option<(CertificateRequest, Error)>,
}

/// The card's page.
#[must_use]
pub fn card(reader: &Reader, page: &CardPage) -> String {
    let (t, lang, of) = (reader.words(), reader.lang(), &page.card);
    let name = w::criterion(lang, &of.criterion);
    reader.render(&format!("{name} · {}", t(w::TITLE)), || {
        let certifiable = of.criterion != "*";
        let certificates = certifiable.then(|| {
            view! {
                <section class="card stack" aria-labelledby="certificates">
                    <h2 id="certificates">{t(w::CERTIFICATES)}</h2>
                    {issue_form(reader, of, page.refused.as_ref())}
                    {attempts(reader, &page.certificates)}
                    <p class="quiet small">{t(w::VOIDS)}</p>
                </section>
            }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{name} " · " <span class="quiet">{common::task(lang, &of.task)}</span></h1>{tabs(reader, "")}</div>
                <p class="judge-name">{of.judge.clone()} <span class="quiet">{format!(" · {} {}", t(w::RUBRIC), of.rubric)}</span></p>
                <div class="columns">{confusion(reader, of)}{pass_rates(reader, of)}</div>
                {measures(reader, of)}
                {certificates}
                {page.reliability.as_ref().map(|it| reliability(reader, of, it))}
                {slices(reader, of, &page.slices)}
                {pairs(reader, of, &page.pairs)}
            </div>
        }
        .into_any()
    })
}

fn confusion(reader: &Reader, of: &Card) -> AnyView {
    let t = reader.words();
    let cell = |which: &'static str, n: u64| {
        let criterion = if of.criterion == "*" { "" } else { &of.criterion };
        let href = format!("{}&cell={which}", address("decisions", &of.task, criterion, &of.judge));
        let figure = view! { <a href=href data-testid=format!("cell-{which}")>{natural(n)}</a> };
        let class = if matches!(which, "tp" | "tn") { "cell same" } else { "cell differs" };
        view! { <td class=class>{figure}</td> }
    };
    let c = of.cells;
    let outside = format!(
        "{}: {}, {}: {}, {}: {}",
        t(w::TIED),
        of.reference.n_tied,
        t(w::NO_VERDICT),
        of.n_no_verdict,
        t(w::UNPARSED),
        of.n_unparsed
    );
    let weighted = of.weighted.then(|| view! { <p class="quiet small">{t(w::WEIGHTED)}</p> });
    view! {
        <section class="card" aria-labelledby="confusion">
            <h2 id="confusion">{t(w::CONFUSION)}</h2>
            <p class="quiet small">{t(w::CONFUSION_HINT)}</p>
            <table class="confusion">
                <thead><tr><td></td><th scope="col">{t(w::PEOPLE_PASS)}</th><th scope="col">{t(w::PEOPLE_FAIL)}</th></tr></thead>
                <tbody>
                    <tr><th scope="row">{t(w::JUDGE_PASS)}</th>{cell("tp", c.tp)}{cell("fp", c.fp)}</tr>
                    <tr><th scope="row">{t(w::JUDGE_FAIL)}</th>{cell("fn", c.fn_)}{cell("tn", c.tn)}</tr>
                </tbody>
            </table>
            <p class="quiet small">{format!("n = {} · ", natural(of.n))} {outside}</p>
            {weighted}
        </section>
    }
    .into_any()
}

fn pass_rates(reader: &Reader, of: &Card) -> AnyView {
    let t = reader.words();
    let row = |words: &'static str, estimate: &Estimate| {
        view! { <tr><th scope="row">{words}</th><td>{figure(reader, estimate, 0.0)}</td></tr> }
    };
    view! {
        <section class="card" aria-labelledby="pass-rate">
            <h2 id="pass-rate">{t(w::PASS_RATE)}</h2>
            <table><tbody>
                {row(t(w::BY_JUDGE), &of.pass_rate.judge)}
                {row(t(w::BY_PEOPLE), &of.pass_rate.human)}
                {row(t(w::CORRECTED), &of.pass_rate.corrected)}
            </tbody></table>
        </section>
    }
    .into_any()
}

fn measures(reader: &Reader, of: &Card) -> AnyView {
    let t = reader.words();
    let all: [(&'static str, &Estimate, f64); 14] = [
        (t(w::AGREEMENT), &of.accuracy, 0.0),
        (t(w::PREVALENCE), &of.prevalence, 0.0),
        (t(w::PRECISION), &of.precision, 0.0),
        (t(w::RECALL), &of.recall, 0.0),
        (t(w::SPECIFICITY), &of.specificity, 0.0),
        (t(w::NPV), &of.npv, 0.0),
        (t(w::BALANCED), &of.balanced_accuracy, 0.0),
        (t(w::F1), &of.f1, 0.0),
        (t(w::MCC), &of.mcc, -1.0),
        (t(w::KAPPA), &of.kappa.estimate, -1.0),
        (t(w::AC1), &of.ac1, -1.0),
        (t(w::ALPHA), &of.humans.alpha, -1.0),
        (t(w::HUMAN_AC1), &of.humans.ac1, -1.0),
        (t(w::CORRECTED), &of.pass_rate.corrected, 0.0),
    ];
    let rows = all.map(|(words, estimate, low)| {
        view! { <tr><th scope="row">{words}</th><td>{figure(reader, estimate, low)}</td><td class="quiet small">{estimate.method.clone()}</td></tr> }
    });
    let most = of
        .kappa
        .max
        .map(|most| view! { <p class="quiet small">{format!("κ ≤ {most:.2}: {}", t(w::KAPPA_MAX))}</p> });
    view! {
        <section class="card" aria-labelledby="measures">
            <h2 id="measures">{t(w::CARD)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::MEASURE)}</th><th scope="col">{t(w::ESTIMATE)}</th><th scope="col">{t(w::METHOD)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
            {most}
            <p><b>{t(w::ALT_TEST)}</b> " " {w::alt_test(reader.lang(), &of.alt_test)}</p>
        </section>
    }
    .into_any()
}

/// The table behind a section, to download.
fn download(reader: &Reader, card: &Card, what: &str) -> AnyView {
    let href = address(&format!("card/{what}.csv"), &card.task, &card.criterion, &card.judge);
    view! { <a class="button" href=href>{reader.words()(w::CSV)}</a> }.into_any()
}

fn reliability(reader: &Reader, card: &Card, of: &Reliability) -> AnyView {
    let t = reader.words();
    let value = |value: Option<f64>| {
        value.map_or_else(|| t(w::NOT_ESTIMABLE).to_owned(), |value| format!("{value:.3}"))
    };
    let title = format!("{} ECE {}", t(w::RELIABILITY), value(of.ece));
    let rows = of.bins.iter().map(|bin| {
        view! { <tr><th scope="row">{format!("{:.1}–{:.1}", bin.range.0, bin.range.1)}</th>
        <td class="number">{format!("{:.2}", bin.mean_p)}</td><td>{figure(reader, &bin.pass, 0.0)}</td></tr> }
    });
    let rows = rows.collect_view();
    view! {
        <section class="card" aria-labelledby="reliability">
            <div class="page-top"><h2 id="reliability">{t(w::RELIABILITY)}</h2>{download(reader, card, "reliability")}</div>
            <p class="quiet small">{t(w::RELIABILITY_AXIS)}</p>
            <div class="columns">
                {chart::reliability(of, title)}
                <div class="stack">
                    <p>{format!("ECE {} · Brier {} · AUROC {} · n = {}", value(of.ece), value(of.brier), value(of.auroc), natural(of.n))}</p>
                    <details><summary>{t(w::DATA)}</summary><table>
                        <thead><tr><th scope="col">{t(w::BIN)}</th><th scope="col" class="number">{t(w::MEAN_P)}</th><th scope="col">{t(w::PEOPLE_PASS)}</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table></details>
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// The cases of a slice on which people and the judge differ.
fn slice_address(card: &Card, slice: &Slice) -> String {
    let mut filter = CaseFilter {
        task: Some(card.task.clone()),
        criterion: Some(card.criterion.clone()),
        judge: Some(card.judge.clone()),
        half: Some("audit".into()),
        sort: Some("confidence".into()),
        ..CaseFilter::default()
    };
    let value = Some(slice.value.clone());
    match slice.by.as_str() {
        "category" => filter.category = value,
        "lang" => filter.lang = value,
        "generator" => filter.generator = value,
        _ => filter.annotator = value,
    }
    format!("/audit/cases?{}", super::query(&filter, false))
}

fn slices(reader: &Reader, card: &Card, slices: &[Slice]) -> AnyView {
    let t = reader.words();
    if slices.is_empty() {
        return ().into_any();
    }
    let rows = slices.iter().map(|slice| {
        let n = slice.cells.tp + slice.cells.fp + slice.cells.fn_ + slice.cells.tn;
        view! {
            <tr><th scope="row"><span class="quiet">{slice.by.clone()} ": "</span><a href=slice_address(card, slice)>{slice.value.clone()}</a></th>
                <td class="number">{natural(n)}</td>
                <td>{figure(reader, &slice.accuracy, 0.0)}</td>
                <td>{figure(reader, &slice.specificity, 0.0)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <section class="card" aria-labelledby="slices">
            <div class="page-top"><h2 id="slices">{t(w::SLICES)}</h2>{download(reader, card, "slices")}</div>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::SLICE)}</th><th scope="col" class="number">"n"</th>
                    <th scope="col">{t(w::AGREEMENT)}</th><th scope="col">{t(w::SPECIFICITY)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}

fn pairs(reader: &Reader, card: &Card, pairs: &[JudgePair]) -> AnyView {
    let t = reader.words();
    if pairs.is_empty() {
        return ().into_any();
    }
    let rows = pairs.iter().map(|pair| {
        let p = pair.p.map_or_else(
            || t(w::NOT_ESTIMABLE).to_owned(),
            |p| if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") },
        );
        view! {
            <tr><th scope="row">{pair.a.clone()} " / " {pair.b.clone()}</th>
                <td class="number">{natural(pair.both)}</td><td class="number">{natural(pair.only_a)}</td>
                <td class="number">{natural(pair.only_b)}</td><td class="number">{natural(pair.neither)}</td>
                <td class="number">{p}</td></tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <section class="card" aria-labelledby="pairs">
            <div class="page-top"><h2 id="pairs">{t(w::PAIRS)}</h2>{download(reader, card, "judges")}</div>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::JUDGE)}</th><th scope="col" class="number">{t(w::BOTH_RIGHT)}</th>
                    <th scope="col" class="number">{t(w::ONLY_FIRST)}</th><th scope="col" class="number">{t(w::ONLY_SECOND)}</th>
                    <th scope="col" class="number">{t(w::NEITHER)}</th><th scope="col" class="number">{t(w::P_VALUE)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}
