//! A proportion as people may trust it: a dot with its interval on a fixed axis, the figures and n
//! beside it, or in words that nothing can be estimated. Never a lone percentage.

use crate::i18n::{common as w, count};
use crate::session::use_words;
use concord_domain::Proportion;
use leptos::prelude::*;

/// A proportion on the axis from 0 to 100 %.
#[component]
pub(crate) fn Estimate(of: Proportion) -> impl IntoView {
    let t = use_words();
    let Some((low, high)) = of.ci.filter(|_| of.n > 0) else {
        return view! { <span class="quiet">{t(w::NOT_ESTIMABLE)}</span> }.into_any();
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of labels stay far below 2^52")]
    let share = of.k as f64 / of.n as f64;
    let x = |p: f64| format!("{:.1}", 2.0 + p * 96.0);
    let percent = |p: f64| format!("{:.0}", p * 100.0);
    view! {
        <span class="estimate">
            <svg viewBox="0 0 100 12" width="100" height="12" aria-hidden="true">
                <path class="axis" d="M2 6H98M2 3v6M50 4v4M98 3v6"/>
                <line class="interval" x1=x(low) x2=x(high) y1="6" y2="6"/>
                <circle class="dot" cx=x(share) cy="6" r="3.5"/>
            </svg>
            <b>{percent(share)} " %"</b>
            <span class="quiet">{format!("{}–{} %, n = {}", percent(low), percent(high), count(of.n))}</span>
        </span>
    }
    .into_any()
}
