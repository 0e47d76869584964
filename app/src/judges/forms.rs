//! What a lead can do to a judge: plain forms, each with what it does.

use crate::document::Reader;
use crate::i18n::{audit as a, judge_heads as h, judges as w};
use concord_domain::TaskJudge;
use leptos::prelude::*;

/// Every form of a task.
pub(super) fn forms(reader: &Reader, of: &TaskJudge) -> AnyView {
    let t = reader.words();
    let to = |what: &str| format!("/judges/{}/{what}", of.task);
    let number = |name: &'static str,
                  words: &'static str,
                  value: String,
                  min: &'static str,
                  max: &'static str| {
        view! { <label class="field"><span>{words}</span><input type="number" name=name value=value min=min max=max step="any" required/></label> }
    };
    let option = |value: &'static str| view! { <option value=value>{value}</option> };
    let criteria = of
        .criteria
        .iter()
        .map(|it| view! { <option value=it.criterion.clone()>{a::criterion(reader.lang(), &it.criterion)}</option> })
        .collect_view();
    view! {
        <details>
            <summary>{t(w::CHANGE)}</summary>
            <div class="stack">
                <form method="post" action=to("examples") class="inline-form">
                    <p><b>{t(w::DRAW)}</b><br/><span class="quiet small">{t(w::DRAW_HINT)}</span></p>
                    {number("per_side", t(w::PER_SIDE), "2".into(), "0", "8")}
                    {number("sets", t(w::SETS), of.sets.to_string(), "1", "8")}
                    {number("seed", t(w::SEED), "1".into(), "0", "9007199254740991")}
                    <button data-testid="draw-examples">{t(w::DRAW)}</button>
                </form>
                <form method="post" action=to("calibration") class="inline-form">
                    <p><b>{t(w::RECALIBRATE)}</b><br/><span class="quiet small">{t(w::RECALIBRATE_HINT)}</span></p>
                    <label class="field"><span>{t(w::METHOD)}</span><select name="method">
                        {["platt", "temperature", "isotonic", "none"].map(option).collect_view()}
                    </select></label>
                    <label class="field"><span>{t(w::CRITERION)}</span><select name="criterion">
                        <option value="">{t(w::ALL_CRITERIA)}</option>{criteria}
                    </select></label>
                    <button data-testid="recalibrate">{t(w::RECALIBRATE)}</button>
                </form>
                <form method="post" action=to("rejudge") class="inline-form">
                    <p><b>{t(w::REJUDGE)}</b><br/><span class="quiet small">{t(w::REJUDGE_HINT)}</span></p>
                    <button name="labelled_only" value="on">{t(w::REJUDGE_LABELLED)}</button>
                    <button data-testid="rejudge">{t(w::REJUDGE_ALL)}</button>
                </form>
                <form method="post" action=to("senior") class="inline-form">
                    <p><b>{t(w::SENIOR)}</b><br/><span class="quiet small">{t(w::SENIOR_HINT)}</span></p>
                    {number("strong", t(w::STRONG), of.senior.strong.to_string(), "0.5", "1")}
                    {number("share", t(w::SHARE), of.senior.share.to_string(), "0.01", "1")}
                    <button>{t(w::SET_RULE)}</button>
                </form>
            </div>
        </details>
        <form method="post" action=to("probes") class="inline-form">
            <p><b>{t(w::PROBES)}</b><br/><span class="quiet small">{t(w::PROBES_HINT)}</span></p>
            {number("samples", t(w::SAMPLES), "40".into(), "1", "1000")}
            {number("seed", t(w::SEED), "1".into(), "0", "9007199254740991")}
            <button data-testid="run-probes">{t(w::RUN_PROBES)}</button>
            <a class="button" href=to("probes")>{t(w::SHOW_PROBES)}</a>
        </form>
        <p><a class="button" href=to("heads") data-testid="heads">{t(h::SHOW)}</a></p>
    }
    .into_any()
}
