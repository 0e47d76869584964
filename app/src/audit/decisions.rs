//! `/audit/decisions`: single decisions behind a cell, the surest verdicts first.

use super::tabs;
use crate::document::{Reader, encoded};
use crate::i18n::{audit as w, common};
use crate::ui::icon::Mark;
use concord_domain::{DECISIONS_A_PAGE, Decision, DecisionFilter};
use leptos::prelude::*;

/// The page; one row more than a page says that there is a next one.
#[must_use]
pub fn decisions(reader: &Reader, filter: &DecisionFilter, rows: &[Decision]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let page = DECISIONS_A_PAGE as usize;
    let heading = match filter.cell.as_str() {
        "tp" => format!("{}, {}", t(w::JUDGE_PASS), t(w::PEOPLE_PASS)),
        "fp" => format!("{}, {}", t(w::JUDGE_PASS), t(w::PEOPLE_FAIL)),
        "fn" => format!("{}, {}", t(w::JUDGE_FAIL), t(w::PEOPLE_PASS)),
        "tn" => format!("{}, {}", t(w::JUDGE_FAIL), t(w::PEOPLE_FAIL)),
        _ => t(w::DIFFER).to_owned(),
    };
    reader.render(&heading, || {
        let table = if rows.is_empty() {
            view! { <p class="quiet">{t(w::NONE_HERE)}</p> }.into_any()
        } else {
            let rows = rows.iter().take(page).map(|row| decision(reader, row)).collect_view();
            view! {
                <div class="table-frame" tabindex="0"><table class="rows">
                    <thead><tr><th scope="col">{t(w::SAMPLE)}</th><th scope="col">{t(w::CRITERION)}</th>
                        <th scope="col">{t(w::JUDGE)}</th><th scope="col">{t(w::VOTES)}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            }
            .into_any()
        };
        let link = |skip: u32| {
            format!(
                "/audit/decisions?task={}&criterion={}&judge={}&cell={}&skip={skip}",
                encoded(&filter.task), encoded(&filter.criterion), encoded(&filter.judge), encoded(&filter.cell)
            )
        };
        let before = (filter.skip > 0).then(|| {
            view! { <a class="button" href=link(filter.skip.saturating_sub(DECISIONS_A_PAGE))>{t(w::PREVIOUS_PAGE)}</a> }
        });
        let after = (rows.len() > page).then(|| {
            view! { <a class="button" href=link(filter.skip + DECISIONS_A_PAGE)>{t(w::NEXT_PAGE)}</a> }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{heading.clone()}</h1>{tabs(reader, "")}</div>
                <p class="quiet">{common::task(lang, &filter.task)} " · " {filter.judge.clone()} " · " {t(w::SUREST)}</p>
                {table}
                <div class="pager"><a class="button" href=link(0).replacen("/audit/decisions", "/audit/decisions.csv", 1)>{t(w::CSV)}</a>{before}{after}</div>
            </div>
        }
        .into_any()
    })
}

fn decision(reader: &Reader, of: &Decision) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let side = |pass: bool| {
        let words = t(if pass { common::PASS } else { common::FAIL });
        view! { <span class="side"><Mark pass/>{words}</span> }
    };
    let p = of.p_pass.map(|p| format!(" p = {p:.3}"));
    let text = if of.text.is_empty() { of.key.clone() } else { of.text.clone() };
    view! {
        <tr>
            <td class="wide"><a class="row-link" href=format!("/samples/{}", of.sample)>{text}</a>
                <div class="quiet small">{of.rationale.clone()}</div></td>
            <td>{w::criterion(lang, &of.criterion)}</td>
            <td class="nowrap">{side(of.judge)}<span class="quiet">{p}</span></td>
            <td class="nowrap">{side(of.human)}<span class="quiet">{format!(" {} : {}", of.votes.0, of.votes.1)}</span></td>
        </tr>
    }
    .into_any()
}
