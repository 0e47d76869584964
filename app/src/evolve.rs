//! `/evolve`: rounds of self-training, what they came to, and the models that were trained here. Documents.

mod curve;
mod registry;
mod round;
mod schedule;

pub use round::round;

use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{Text, common as c, count, evolve as w, moment, training};
use crate::pipeline::tabs;
use concord_domain::{Capability, Promotion, Round, RoundMeasure, RoundSchedule, TrainedModel};
use leptos::prelude::*;

/// What the page shows.
#[derive(Debug)]
pub struct EvolvePage {
    /// Newest first.
    pub rounds: Vec<Round>,
    /// Newest first.
    pub models: Vec<TrainedModel>,
    /// Newest first.
    pub promotions: Vec<Promotion>,
    /// The logs are the demo world's: labels may be simulated annotators'.
    pub demo: bool,
    /// By which rounds start by themselves.
    pub schedule: Option<RoundSchedule>,
}

/// The page.
#[must_use]
pub fn evolve(reader: &Reader, page: &EvolvePage) -> String {
    let t = reader.words();
    reader.render(t(w::TITLE), || {
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/evolve")}</div>
                <p class="conclusion">{t(w::LEAD)}</p>
                {rounds(reader, page)}
                {schedule::schedule(reader, page.schedule.as_ref())}
                {across(reader, page)}
                <p><a class="button" href="/evolve/runs" data-testid="training-runs">{t(training::TITLE)}</a></p>
                {registry::models(reader, page)}
                {registry::decisions(reader, page)}
            </div>
        }
        .into_any()
    })
}

fn rounds(reader: &Reader, page: &EvolvePage) -> AnyView {
    let t = reader.words();
    let may = reader.viewer.can(Capability::Generate);
    let start = may.then(|| start(reader));
    let body = if page.rounds.is_empty() {
        view! {
            <p class="quiet">{t(w::NO_ROUNDS)}</p>
            <pre class="command" tabindex="0">"concord evolve run --rounds 3 --report report.md"</pre>
        }
        .into_any()
    } else {
        let rows = page.rounds.iter().map(|round| row(reader, page, round)).collect_view();
        let moving = page.rounds.iter().any(|it| it.state == "open");
        let again = moving.then(|| view! { <p><a class="button" href="/evolve">{t(w::LOOK_AGAIN)}</a></p> });
        view! {
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::ROUND)}</th><th scope="col">{t(w::STATE)}</th><th scope="col">{t(w::NOW)}</th>
                    <th scope="col">{t(w::OUTCOME)}</th><th scope="col">{t(w::COST)}</th><th scope="col">{t(w::STOP)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {again}
        }
        .into_any()
    };
    view! { <section class="card stack" aria-labelledby="rounds"><h2 id="rounds">{t(w::ROUNDS)}</h2>{body}{start}</section> }
        .into_any()
}

fn row(reader: &Reader, page: &EvolvePage, of: &Round) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let now = of.steps.iter().find(|step| !matches!(step.state.as_str(), "done" | "skipped"));
    let now = now.filter(|_| of.state == "open").map(|step| {
        let how = step.message.clone().map(|how| view! { <div class="quiet small">{how}</div> });
        view! { {w::step(lang, &step.name)}{how} }
    });
    let stop = (of.state == "open" && reader.viewer.can(Capability::Generate)).then(|| {
        view! { <form method="post" action=format!("/evolve/rounds/{}/stop", of.id)><button>{t(w::STOP)}</button></form> }
    });
    view! {
        <tr data-testid="round">
            <th scope="row" class="nowrap"><a href=format!("/evolve/rounds/{}", of.id)>{format!("{} {}", t(w::ROUND), of.number)}</a>
                <div class="quiet small">{moment(lang, of.created_at)}</div></th>
            <td>{state(reader, of)}</td>
            <td>{now}</td>
            <td>{outcome(reader, &page.promotions, of)}</td>
            <td class="small">{w::cost(lang, &of.cost)}</td>
            <td>{stop}</td>
        </tr>
    }
    .into_any()
}

fn state(reader: &Reader, of: &Round) -> AnyView {
    let t = reader.words();
    let asks = of.steps.iter().any(|step| step.state == "people");
    let words = match of.state.as_str() {
        "open" if asks => w::PEOPLE,
        "open" => w::OPEN,
        "done" => w::DONE,
        "failed" => w::FAILED,
        _ => w::STOPPED,
    };
    let class = if of.state == "failed" { "state bad" } else { "state" };
    let why = of.why.clone().map(|why| view! { <div class="form-error small">{why}</div> });
    view! { <span class=class>{t(words)}</span>{why} }.into_any()
}

/// The decision of a round.
fn decision<'p>(promotions: &'p [Promotion], of: &Round) -> Option<&'p Promotion> {
    let id = of.made("decide", "promotion")?;
    promotions.iter().find(|it| it.id == id)
}

fn outcome(reader: &Reader, promotions: &[Promotion], of: &Round) -> AnyView {
    let t = reader.words();
    let (words, why) = match decision(promotions, of) {
        Some(it) if it.kind == "promote" => (w::PROMOTED, String::new()),
        Some(it) => (w::REFUSED, it.decision.refused.join("; ")),
        None if of.state == "done" => {
            let skipped = of.steps.iter().find(|step| step.state == "skipped");
            (w::NO_MODEL, skipped.and_then(|it| it.message.clone()).unwrap_or_default())
        }
        None => return "–".into_any(),
    };
    view! { <b>{t(words)}</b><div class="quiet small">{why}</div> }.into_any()
}

fn start(reader: &Reader) -> AnyView {
    let t = reader.words();
    let field =
        |name: &'static str, words, value: u32, most: &'static str| field(reader, name, words, value, most);
    view! {
        <details><summary>{t(w::START)}</summary>
            <form method="post" action="/evolve/rounds" class="row">
                <label class="field">{t(w::LEARNS)}
                    <select name="learns"><option value="labels">{t(w::FROM_LABELS)}</option>
                        <option value="log">{t(w::FROM_LOG)}</option></select></label>
                {field("users", w::USERS, 30, "100000")}
                {field("audit_users", w::AUDIT_USERS, 15, "100000")}
                {field("tokens", w::TOKENS, 20_000, "2000000000")}
                {field("seed", w::SEED, 1, "1000000")}
                <button class="primary" data-testid="start-round">{t(w::START)}</button>
            </form>
        </details>
    }
    .into_any()
}

fn field(reader: &Reader, name: &'static str, words: Text, value: u32, most: &'static str) -> AnyView {
    view! {
        <label class="field">{reader.words()(words)}
            <input type="number" name=name min="1" max=most value=value required/></label>
    }
    .into_any()
}

/// What was measured, newest round first, with curves and the labels that a gain needs.
fn across(reader: &Reader, page: &EvolvePage) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let demo = page.demo.then(|| {
        let words = Text::new("Demo world, simulated annotators", "演示世界，模拟标注者");
        view! { <p><b>{words.get(lang)}</b></p> }
    });
    let all: Vec<(i64, RoundMeasure)> = page
        .rounds
        .iter()
        .flat_map(|round| round.measured().into_iter().map(|it| (round.number, it)))
        .filter(|(_, it)| it.criterion == "all")
        .collect();
    if all.is_empty() {
        return view! {
            <section class="card stack" aria-labelledby="across"><h2 id="across">{t(w::ACROSS)}</h2>
                <p class="quiet">{t(w::NOTHING_MEASURED)}</p></section>
        }
        .into_any();
    }
    let rows = all.iter().map(|(number, it)| {
        view! {
            <tr><th scope="row">{*number}</th><td>{c::task(lang, &it.task)}</td>
                <td>{figure(reader, &it.kappa, -1.0)}</td><td>{figure(reader, &it.specificity, 0.0)}</td>
                <td>{figure(reader, &it.pass_rate, 0.0)}</td></tr>
        }
    });
    let rows = rows.collect_view();
    let newest = all.first().map_or(0, |(number, _)| *number);
    let power = all.iter().filter(|(number, _)| *number == newest).map(|(_, it)| {
        let labels = |n: Option<u64>| {
            n.map_or_else(|| t(w::IMPOSSIBLE).to_owned(), |n| count(i64::try_from(n).unwrap_or(i64::MAX)))
        };
        view! {
            <tr><th scope="row">{c::task(lang, &it.task)}</th><td>{figure(reader, &it.pass_rate, 0.0)}</td>
                <td class="number">{labels(it.labels_for_5)}</td><td class="number">{labels(it.labels_for_10)}</td></tr>
        }
    });
    let power = power.collect_view();
    view! {
        <section class="card stack" aria-labelledby="across">
            <h2 id="across">{t(w::ACROSS)}</h2>
            {demo}
            <p class="quiet small">{t(w::ACROSS_HINT)}</p>
            {curve::pass_rates(reader, &all)}
            <div class="table-frame" tabindex="0"><table class="audit-table">
                <thead><tr>
                    <th scope="col">{t(w::ROUND)}</th><th scope="col">{t(w::TASK)}</th><th scope="col">{t(w::KAPPA)}</th>
                    <th scope="col">{t(w::SPECIFICITY)}</th><th scope="col">{t(w::PASS_RATE)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
        <section class="card stack" aria-labelledby="power">
            <h2 id="power">{t(w::POWER)}</h2>
            <p class="quiet small">{t(w::POWER_HINT)}</p>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col">{t(w::TASK)}</th><th scope="col">{t(w::PASS_RATE)}</th>
                    <th scope="col" class="number">{t(w::FIVE)}</th><th scope="col" class="number">{t(w::TEN)}</th></tr></thead>
                <tbody>{power}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}
