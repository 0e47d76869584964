//! `/me`: one's own pace, record and last samples. Nothing here says how one agrees with judges or other people.

use crate::audit::figure;
use crate::document::Reader;
use crate::i18n::{common, count, day, me as w, moment};
use concord_domain::{DayPace, Estimate, OwnSample, OwnWork};
use leptos::prelude::*;

/// The page.
#[must_use]
pub fn own_work(reader: &Reader, work: &OwnWork) -> String {
    let t = reader.words();
    reader.render(t(common::MY_WORK), || {
        view! {
            <div class="page">
                <h1>{t(common::MY_WORK)}</h1>
                {pace(reader, &work.days)}
                {record(reader, work)}
                {recent(reader, &work.recent)}
            </div>
        }
        .into_any()
    })
}

/// Median seconds by day, and over all days shown: the median of a day counts as often as it has samples.
fn pace(reader: &Reader, days: &[DayPace]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let seconds = |of: &DayPace| match of.median_seconds {
        Some(median) => format!("{median:.1} s"),
        None => t(w::NOT_TIMED).to_owned(),
    };
    let rows = days.iter().map(|of| {
        view! {
            <tr><th scope="row">{day(lang, of.day)}</th><td class="number">{count(of.samples)}</td>
                <td class="number">{seconds(of)}</td><td class="number">{count(of.timed)}</td></tr>
        }
    });
    let body = if days.is_empty() {
        view! { <p class="quiet">{t(w::NO_DAYS)}</p> }.into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table class="compact" data-testid="pace">
                <thead><tr>
                    <th scope="col">{t(w::DAY)}</th>
                    <th scope="col" class="number">{t(w::SAMPLES)}</th>
                    <th scope="col" class="number">{t(w::MEDIAN)}</th>
                    <th scope="col" class="number">{t(w::TIMED)}</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { <section class="card stack"><h2>{t(w::PACE)}</h2><p class="quiet">{t(w::PACE_HINT)}</p>{body}</section> }
        .into_any()
}

fn record(reader: &Reader, work: &OwnWork) -> AnyView {
    let t = reader.words();
    let line = |words: &'static str, hint: &'static str, of: &Estimate| {
        view! { <div><dt>{words}<br/><span class="quiet small">{hint}</span></dt><dd>{figure(reader, of, 0.0)}</dd></div> }
    };
    view! {
        <section class="card stack" data-testid="record">
            <h2>{t(w::RECORD)}</h2>
            <p class="quiet">{t(w::RECORD_HINT)}</p>
            <dl class="pairs">
                {line(t(w::GOLD), t(w::GOLD_HINT), &work.gold)}
                {line(t(w::CONSISTENCY), t(w::CONSISTENCY_HINT), &work.consistency)}
            </dl>
        </section>
    }
    .into_any()
}

fn recent(reader: &Reader, samples: &[OwnSample]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = samples.iter().map(|of| {
        let kept = of.surplus.then(|| view! { <span class="state">{t(w::SURPLUS)}</span> });
        view! {
            <tr><th scope="row" class="wide"><a href=format!("/samples/{}", of.sample)>{of.text.clone()}</a></th>
                <td>{common::task(lang, &of.task)}</td>
                <td class="number">{of.seconds.map(|s| format!("{s:.0} s"))}</td>
                <td class="nowrap">{moment(lang, of.at)}</td><td>{kept}</td></tr>
        }
    });
    let body = if samples.is_empty() {
        view! { <p class="quiet">{t(w::NO_SAMPLES)} " " <a href="/review">{t(common::REVIEW)}</a></p> }
            .into_any()
    } else {
        view! {
            <div class="table-frame" tabindex="0"><table data-testid="recent">
                <thead><tr>
                    <th scope="col" class="wide">{t(w::SAMPLE)}</th>
                    <th scope="col">{t(w::TASK)}</th>
                    <th scope="col" class="number">{t(w::SECONDS)}</th>
                    <th scope="col">{t(w::WHEN)}</th>
                    <th scope="col">{t(w::NOTE)}</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
            <p class="quiet small">{t(w::SURPLUS_HINT)}</p>
        }
        .into_any()
    };
    view! { <section class="card stack"><h2>{t(w::RECENT)}</h2>{body}</section> }.into_any()
}
