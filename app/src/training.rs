//! `/evolve/runs` and `/evolve/runs/{id}`: runs of training, their losses and how long they take. Documents, as the
//! audit's.

use crate::document::Reader;
use crate::i18n::{count, moment, training as w};
use concord_domain::{Lang, TrainingRun};
use leptos::prelude::*;

/// Losses of the table: so many steps at most, evenly spread.
const ROWS: usize = 25;
/// Steps of the line that is drawn through the mean of its neighbours.
const SMOOTH: usize = 9;

/// All runs, newest first.
#[must_use]
pub fn runs(reader: &Reader, all: &[TrainingRun]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    reader.render(t(w::TITLE), || {
        let rows = all.iter().map(|it| {
            let state = w::state(lang, &it.state);
            view! {
                <tr data-testid="training-run"><th scope="row"><a href=format!("/evolve/runs/{}", it.id)>{it.name.clone()}</a></th>
                    <td>{w::role(lang, it)}</td><td>{state}</td>
                    <td class="number">{format!("{} / {}", count(length(it.losses.len())), count(it.steps))}</td>
                    <td class="number">{number(it.losses.first().copied())}</td><td class="number">{number(it.losses.last().copied())}</td>
                    <td class="nowrap">{moment(lang, it.created_at)}</td></tr>
            }
        });
        let rows = rows.collect_view();
        let body = if all.is_empty() {
            view! { <section class="card"><p>{t(w::NONE)}</p><pre class="command" tabindex="0">"concord evolve train --export DIR --name NAME --out DIR"</pre></section> }.into_any()
        } else {
            view! {
                <div class="table-frame" tabindex="0"><table class="audit-table">
                    <thead><tr><th scope="col">{t(w::MODEL)}</th><th scope="col">{t(w::ROLE)}</th><th scope="col">{t(w::STATE)}</th>
                        <th scope="col" class="number">{t(w::STEPS)}</th><th scope="col" class="number">{t(w::FIRST)}</th>
                        <th scope="col" class="number">{t(w::LAST)}</th><th scope="col">{t(w::BEGUN)}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            }
            .into_any()
        };
        view! { <div class="page"><p class="small"><a href="/evolve">"← " {t(w::EVOLVE)}</a></p><h1>{t(w::TITLE)}</h1><p class="conclusion">{t(w::LEAD)}</p>{body}</div> }.into_any()
    })
}

/// One run.
#[must_use]
pub fn run(reader: &Reader, of: &TrainingRun) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    reader.render(&format!("{} · {}", t(w::TITLE), of.name), || {
        let pair = |name: &'static str, value: String| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
        let why = of.why.clone().map(|why| view! { <p class="form-error">{why}</p> });
        let by = of.by.as_ref().map(|by| format!(" · {by}")).unwrap_or_default();
        view! {
            <div class="page">
                <p class="small"><a href="/evolve/runs">"← " {t(w::BACK)}</a></p>
                <h1>{of.name.clone()} " " <span class="state" data-testid="run-state">{w::state(lang, &of.state)}</span></h1>
                <p class="conclusion" data-testid="run-sentence">{w::sentence(lang, of)}</p>
                {why}
                <section class="card stack">
                    <dl class="pairs">
                        {pair(t(w::ROLE), w::role(lang, of))}
                        {pair(t(w::BASE), format!("{} ({})", of.base, short(&of.base_sha256)))}
                        {pair(t(w::DATA), w::data(lang, of))}
                        {pair(t(w::SPEED), w::speed(lang, of))}
                        {pair(t(w::HEARD), moment(lang, of.heard_at))}
                        {pair(t(w::STARTS), of.starts.to_string())}
                        {pair(t(w::FOLDER), of.folder.clone())}
                        {pair(t(w::BEGUN), format!("{}{by}", moment(lang, of.created_at)))}
                    </dl>
                    <details><summary>{t(w::SETTINGS)}</summary>
                        <pre class="command" tabindex="0">{serde_json::to_string_pretty(&of.settings).unwrap_or_default()}</pre></details>
                </section>
                {losses(reader, of)}
            </div>
        }
        .into_any()
    })
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

fn length(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn number(of: Option<f64>) -> String {
    of.map_or_else(|| "–".to_owned(), |it| format!("{it:.3}"))
}

/// The curve, and a table of what it shows.
fn losses(reader: &Reader, of: &TrainingRun) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    if of.losses.is_empty() {
        return view! { <section class="card"><p>{t(w::NO_LOSSES)}</p></section> }.into_any();
    }
    let smooth = smoothed(&of.losses);
    let each = of.losses.len().div_ceil(ROWS);
    let shown = |at: usize| at.is_multiple_of(each) || at + 1 == of.losses.len();
    let rows = (0..of.losses.len()).filter(|at| shown(*at)).map(|at| {
        view! { <tr><th scope="row" class="number">{at + 1}</th><td class="number">{number(of.losses.get(at).copied())}</td>
            <td class="number">{number(smooth.get(at).copied())}</td></tr> }
    });
    let rows = rows.collect_view();
    view! {
        <section class="card stack" aria-labelledby="losses">
            <h2 id="losses">{t(w::LOSS)}</h2>
            <p class="quiet small">{t(w::LOSS_HINT)}</p>
            {curve(of, &smooth, w::curve(lang, of))}
            <div class="table-frame" tabindex="0"><table>
                <thead><tr><th scope="col" class="number">{t(w::STEP)}</th><th scope="col" class="number">{t(w::LOSS)}</th>
                    <th scope="col" class="number">{t(w::MEAN)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}

/// The mean of each step and its neighbours: single steps jump, because each reads other rows.
#[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
fn smoothed(losses: &[f64]) -> Vec<f64> {
    let half = SMOOTH / 2;
    let mean = |at: usize| {
        let some = &losses[at.saturating_sub(half)..(at + half + 1).min(losses.len())];
        some.iter().sum::<f64>() / some.len() as f64
    };
    (0..losses.len()).map(mean).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
fn curve(of: &TrainingRun, smooth: &[f64], title: String) -> AnyView {
    let most = of.losses.iter().copied().fold(0.0_f64, f64::max).max(1e-9);
    let top = nice(most);
    let steps = (of.steps.max(length(of.losses.len())) as f64 - 1.0).max(1.0);
    let x = |at: usize| format!("{:.1}", 44.0 + at as f64 / steps * 552.0);
    let y = |value: f64| format!("{:.1}", 150.0 - (value / top).clamp(0.0, 1.0) * 142.0);
    let points = |values: &[f64]| {
        values
            .iter()
            .enumerate()
            .map(|(at, it)| format!("{},{}", x(at), y(*it)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| {
        let value = part * top;
        view! {
            <line class="grid" x1="44" x2="596" y1=y(value) y2=y(value)/>
            <text class="tick" x="38" y=y(value) text-anchor="end" dy="4">{format!("{value:.2}")}</text>
        }
    });
    let last = of.losses.len() - 1;
    view! {
        <svg class="chart wide-chart" viewBox="0 0 604 176" role="img" aria-label=title>
            {ticks.collect_view()}
            <polyline class="line faint" points=points(&of.losses)/>
            <polyline class="line" points=points(smooth)/>
            <circle class="dot" cx=x(last) cy=y(smooth[last]) r="3"/>
            <text class="tick" x="44" y="168">"1"</text>
            <text class="tick" x="596" y="168" text-anchor="end">{count(of.steps)}</text>
        </svg>
    }
    .into_any()
}

/// The next number that an axis may end with.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].into_iter().map(|it| it * power).find(|it| *it >= most).unwrap_or(most)
}

/// Words that need a number.
pub(crate) fn minutes(lang: Lang, seconds: f64) -> String {
    match (lang, seconds < 90.0) {
        (Lang::En, true) => format!("{seconds:.0} s"),
        (Lang::Zh, true) => format!("{seconds:.0} 秒"),
        (Lang::En, false) => format!("{:.1} min", seconds / 60.0),
        (Lang::Zh, false) => format!("{:.1} 分钟", seconds / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_above_the_curve() {
        for (most, top) in [(3.2, 4.0), (0.07, 0.08), (10.0, 10.0), (1.01, 2.0), (95.0, 100.0)] {
            assert!((nice(most) - top).abs() < 1e-9, "{most} {}", nice(most));
        }
        assert_eq!(smoothed(&[1.0, 3.0]), [2.0, 2.0]);
    }
}
