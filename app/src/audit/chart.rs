//! Charts as SVG: numbers in, marks out. Every chart has a title that says what it shows, labelled axes, and a table
//! beside it; colours and strokes come from the style sheet.

use concord_domain::{DriftMonitor, Estimate, Reliability};
use leptos::prelude::*;

/// A place on an axis, as SVG writes it.
fn at(value: f64, from: f64, to: f64) -> String {
    format!("{:.1}", from + value.clamp(0.0, 1.0) * (to - from))
}

/// An estimate as a dot with its interval on the axis `low`..`high`, 120 wide.
pub(super) fn dot(estimate: &Estimate, low: f64, high: f64) -> AnyView {
    let place = |value: f64| at((value - low) / (high - low), 4.0, 116.0);
    let dot = estimate.est.map(|est| view! { <circle class="dot" cx=place(est) cy="6" r="3.5"/> });
    let line = estimate.ci.map(|(from, to)| {
        view! { <line class="interval" x1=place(from) x2=place(to) y1="6" y2="6"/> }
    });
    let zero = (low < 0.0).then(|| {
        let x = place(0.0);
        view! { <line class="axis" x1=x.clone() x2=x y1="1" y2="11"/> }
    });
    view! {
        <svg class="dot-axis" viewBox="0 0 120 12" width="120" height="12" aria-hidden="true">
            <path class="axis" d="M4 6H116M4 3v6M116 3v6"/>{zero}{line}{dot}
        </svg>
    }
    .into_any()
}

/// How sure a judge is against how often people pass: a dot a bin with Wilson's interval, on the diagonal of a
/// judge that knows.
pub(super) fn reliability(of: &Reliability, title: String) -> AnyView {
    let x = |p: f64| at(p, 36.0, 296.0);
    let y = |p: f64| at(p, 244.0, 8.0);
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|p| {
        view! {
            <text class="tick" x=x(p) y="258" text-anchor="middle">{format!("{p}")}</text>
            <text class="tick" x="30" y=y(p) text-anchor="end" dy="4">{format!("{p}")}</text>
            <line class="grid" x1="36" x2="296" y1=y(p) y2=y(p)/>
        }
    });
    let bins = of.bins.iter().map(|bin| {
        let whisker = bin.pass.ci.map(|(low, high)| {
            view! { <line class="interval" x1=x(bin.mean_p) x2=x(bin.mean_p) y1=y(low) y2=y(high)/> }
        });
        let dot = bin.pass.est.map(|rate| view! { <circle class="dot" cx=x(bin.mean_p) cy=y(rate) r="4"/> });
        view! { {whisker}{dot} }
    });
    view! {
        <svg class="chart" viewBox="0 0 304 264" role="img" aria-label=title>
            {ticks.collect_view()}
            <line class="ideal" x1=x(0.0) y1=y(0.0) x2=x(1.0) y2=y(1.0)/>
            {bins.collect_view()}
        </svg>
    }
    .into_any()
}

/// The statistic of a detector over the labels it read, on a logarithmic axis with the alarm line.
pub(super) fn statistic(of: &DriftMonitor, title: String, alarm: &'static str) -> AnyView {
    let top = of.shown.alarm_at.log10() + 0.5;
    let bottom = -1.0;
    let n = of.points.last().map_or(1, |point| point.0).max(1);
    let y = |value: f64| at((value.max(1e-9).log10() - bottom) / (top - bottom), 150.0, 8.0);
    let alarm_y = y(of.shown.alarm_at);
    let ticks = (-1..=3).map(|power| {
        let value = 10_f64.powi(power);
        view! {
            <line class="grid" x1="44" x2="596" y1=y(value) y2=y(value)/>
            <text class="tick" x="38" y=y(value) text-anchor="end" dy="4">{format!("{value}")}</text>
        }
    });
    view! {
        <svg class="chart wide-chart" viewBox="0 0 604 176" role="img" aria-label=title>
            {ticks.collect_view()}
            <line class="alarm" x1="44" x2="596" y1=alarm_y.clone() y2=alarm_y.clone()/>
            <text class="tick alarm-word" x="596" y=alarm_y text-anchor="end" dy="-4">{alarm}</text>
            <polyline class="line" points=points(of, n, 44.0, 596.0, |point| y(point.1))/>
            <text class="tick" x="44" y="168">"0"</text>
            <text class="tick" x="596" y="168" text-anchor="end">{format!("n = {n}")}</text>
        </svg>
    }
    .into_any()
}

/// The agreement's confidence sequence over the labels read, with what it is held to.
pub(super) fn band(of: &DriftMonitor, title: String) -> AnyView {
    let n = of.points.last().map_or(1, |point| point.0).max(1);
    let y = |value: f64| at(value, 112.0, 8.0);
    let there = points(of, n, 44.0, 596.0, |point| y(point.2));
    let back: Vec<String> =
        points(of, n, 44.0, 596.0, |point| y(point.3)).split(' ').rev().map(str::to_owned).collect();
    let p0 = y(of.shown.p0);
    let ticks = [0.0, 0.5, 1.0].map(|p| {
        view! {
            <line class="grid" x1="44" x2="596" y1=y(p) y2=y(p)/>
            <text class="tick" x="38" y=y(p) text-anchor="end" dy="4">{format!("{p}")}</text>
        }
    });
    view! {
        <svg class="chart wide-chart" viewBox="0 0 604 120" role="img" aria-label=title>
            {ticks.collect_view()}
            <polygon class="band" points=format!("{there} {}", back.join(" "))/>
            <line class="alarm" x1="44" x2="596" y1=p0.clone() y2=p0/>
        </svg>
    }
    .into_any()
}

#[expect(clippy::cast_precision_loss, reason = "counts of labels are far below 2^52")]
fn points(
    of: &DriftMonitor,
    n: u64,
    from: f64,
    to: f64,
    y: impl Fn(&(u64, f64, f64, f64)) -> String,
) -> String {
    let all: Vec<String> = of
        .points
        .iter()
        .map(|point| format!("{},{}", at(point.0 as f64 / n as f64, from, to), y(point)))
        .collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn places_stay_on_the_axis() {
        assert_eq!(
            (at(0.5, 4.0, 116.0), at(-1.0, 4.0, 116.0), at(2.0, 4.0, 116.0)),
            ("60.0".into(), "4.0".into(), "116.0".into())
        );
        assert_eq!(at(0.25, 244.0, 8.0), "185.0");
    }
}
