//! Curves as SVG: pass rates by round, and the loss by step. The numbers stand in tables beside them.

use crate::document::Reader;
use crate::i18n::{common as c, evolve as w};
use concord_domain::RoundMeasure;
use leptos::prelude::*;

const LEFT: f64 = 44.0;
const RIGHT: f64 = 596.0;

fn place(value: f64, from: f64, to: f64) -> String {
    format!("{:.1}", from + value.clamp(0.0, 1.0) * (to - from))
}

/// The corrected pass rate by round, a chart a task.
pub(super) fn pass_rates(reader: &Reader, all: &[(i64, RoundMeasure)]) -> AnyView {
    let mut tasks: Vec<&str> = all.iter().map(|(_, it)| it.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let rounds: Vec<i64> = all.iter().map(|(number, _)| *number).collect();
    let (first, last) =
        (rounds.iter().min().copied().unwrap_or(1), rounds.iter().max().copied().unwrap_or(1));
    tasks.into_iter().map(|task| one(reader, all, task, (first, last))).collect_view().into_any()
}

fn one(reader: &Reader, all: &[(i64, RoundMeasure)], task: &str, (first, last): (i64, i64)) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    #[expect(clippy::cast_precision_loss, reason = "numbers of rounds")]
    let x = |round: i64| {
        let share = if last == first { 0.5 } else { (round - first) as f64 / (last - first) as f64 };
        place(share, LEFT + 12.0, RIGHT - 12.0)
    };
    let y = |value: f64| place(value, 112.0, 8.0);
    let mut points: Vec<&(i64, RoundMeasure)> = all.iter().filter(|(_, it)| it.task == task).collect();
    points.sort_by_key(|(number, _)| *number);
    let line: Vec<String> = points
        .iter()
        .filter_map(|(number, it)| Some(format!("{},{}", x(*number), y(it.pass_rate.est?))))
        .collect();
    let marks = points.iter().map(|(number, it)| {
        let whisker = it.pass_rate.ci.map(|(low, high)| {
            view! { <line class="interval" x1=x(*number) x2=x(*number) y1=y(low) y2=y(high)/> }
        });
        let dot = it.pass_rate.est.map(|rate| view! { <circle class="dot" cx=x(*number) cy=y(rate) r="4"/> });
        view! { {whisker}{dot}<text class="tick" x=x(*number) y="128" text-anchor="middle">{*number}</text> }
    });
    let ticks = [0.0, 0.5, 1.0].map(|p| {
        view! {
            <line class="grid" x1=LEFT.to_string() x2=RIGHT.to_string() y1=y(p) y2=y(p)/>
            <text class="tick" x="38" y=y(p) text-anchor="end" dy="4">{format!("{p}")}</text>
        }
    });
    let title = format!("{}: {}", c::task(lang, task), t(w::CURVE));
    view! {
        <figure class="stack"><figcaption class="small">{title.clone()}</figcaption>
            <svg class="chart wide-chart" viewBox="0 0 604 134" role="img" aria-label=title>
                {ticks.collect_view()}
                <polyline class="line" fill="none" points=line.join(" ")/>
                {marks.collect_view()}
            </svg></figure>
    }
    .into_any()
}

/// The loss by step.
pub(super) fn losses(reader: &Reader, losses: &[f64]) -> AnyView {
    let t = reader.words();
    let top = losses.iter().copied().filter(|it| it.is_finite()).fold(0.0, f64::max).max(1e-9);
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
    let x = |step: usize| place(step as f64 / losses.len().saturating_sub(1).max(1) as f64, LEFT, RIGHT);
    let y = |value: f64| place(value / top, 112.0, 8.0);
    let line: Vec<String> =
        losses.iter().enumerate().map(|(step, loss)| format!("{},{}", x(step), y(*loss))).collect();
    let ticks = [0.0, 0.5, 1.0].map(|share| {
        let value = share * top;
        view! {
            <line class="grid" x1=LEFT.to_string() x2=RIGHT.to_string() y1=y(value) y2=y(value)/>
            <text class="tick" x="38" y=y(value) text-anchor="end" dy="4">{format!("{value:.2}")}</text>
        }
    });
    let rows = losses.iter().enumerate().map(|(step, loss)| {
        view! { <tr><th scope="row" class="number">{step + 1}</th><td class="number">{format!("{loss:.4}")}</td></tr> }
    });
    view! {
        <figure class="stack"><figcaption class="small">{t(w::LOSS)}</figcaption>
            <svg class="chart wide-chart" viewBox="0 0 604 134" role="img" aria-label=t(w::LOSS)>
                {ticks.collect_view()}
                <polyline class="line" fill="none" points=line.join(" ")/>
                <text class="tick" x=LEFT.to_string() y="128">"1"</text>
                <text class="tick" x=RIGHT.to_string() y="128" text-anchor="end">{losses.len()}</text>
            </svg></figure>
        <details><summary>{t(w::LOSS_NUMBERS)}</summary>
            <div class="table-frame" tabindex="0"><table class="compact">
                <thead><tr><th scope="col" class="number">{t(w::STEP)}</th><th scope="col" class="number">{t(w::LOSS)}</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody></table></div></details>
    }
    .into_any()
}
