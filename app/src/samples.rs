//! The samples: documents. A table whose filters and place live in the address, and a page for each.

mod detail;

pub use detail::sample;

use crate::document::Reader;
use crate::i18n::{Text, common as c, moment, pages as p, samples as w};
use crate::session::{use_lang, use_viewer, use_words};
use crate::ui::icon::Mark;
use concord_domain::{Capability, SampleFilter, SamplePage, SampleRow, SampleRowLead, TASKS};
use leptos::prelude::*;

/// The list of samples.
#[must_use]
pub fn samples(reader: &Reader, filter: &SampleFilter, page: SamplePage) -> String {
    let t = reader.words();
    reader.render(t(c::SAMPLES), || {
        view! {
            <div class="page">
                <h1>{t(c::SAMPLES)}</h1>
                <Filters now=filter.clone()/>
                <Table page filter=filter.clone()/>
            </div>
        }
        .into_any()
    })
}

#[component]
fn Filters(now: SampleFilter) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let lead = use_viewer().can(Capability::ReadAll);
    let select =
        move |name: &'static str, label: Text, now: Option<String>, options: Vec<(&'static str, String)>| {
            let options = options.into_iter().map(|(value, words)| {
                view! { <option value=value selected=now.as_deref() == Some(value)>{words}</option> }
            });
            view! {
                <label class="field">
                    <span>{t(label)}</span>
                    <select name=name><option value="">{t(w::ANY)}</option>{options.collect_view()}</select>
                </label>
            }
        };
    let tasks = TASKS.map(|task| (task, c::task(lang, task))).to_vec();
    let langs = vec![("en", t(w::ENGLISH).to_owned()), ("zh", t(w::CHINESE).to_owned())];
    let halves = vec![("audit", t(w::AUDIT).to_owned()), ("train", t(w::TRAIN).to_owned())];
    let mut states = vec![("mine", t(w::MINE).to_owned())];
    if lead {
        states.push(("unlabelled", t(w::UNLABELLED).to_owned()));
        states.push(("agree", t(w::AGREE).to_owned()));
        states.push(("disagree", t(w::DISAGREE).to_owned()));
    }
    view! {
        <form method="get" action="/samples" class="filters" role="search">
            {select("task", p::TASK, now.task, tasks)}
            <label class="field"><span>{t(w::TEXT)}</span><input type="search" name="text" value=now.text/></label>
            <label class="field"><span>{t(w::USER)}</span><input type="text" name="user" value=now.user/></label>
            {select("lang", w::LANGUAGE, now.lang, langs)}
            {lead.then(|| select("half", w::HALF, now.half, halves))}
            {select("state", w::STATE, now.state, states)}
            <button class="primary">{t(w::FILTER)}</button>
            <a class="button" href="/samples">{t(w::CLEAR)}</a>
        </form>
    }
    .into_any()
}

#[component]
fn Table(page: SamplePage, filter: SampleFilter) -> impl IntoView {
    let t = use_words();
    let lead = use_viewer().can(Capability::ReadAll);
    if page.rows.is_empty() {
        return view! { <p class="card">{t(w::NO_SAMPLES)}</p> }.into_any();
    }
    let head = lead.then(|| {
        view! {
            <th scope="col">{t(w::HALF)}</th><th scope="col">{t(w::PEOPLE)}</th><th scope="col">{t(w::JUDGE)}</th>
        }
    });
    let rows = page.rows.into_iter().map(|row| row_view(row, lead)).collect_view();
    let first = filter.after.is_some().then(|| {
        let href = address(&SampleFilter { after: None, ..filter.clone() });
        view! { <a class="button" href=href>{t(w::FIRST_PAGE)}</a> }
    });
    let next = page.next.map(|after| {
        let href = address(&SampleFilter { after: Some(after), ..filter.clone() });
        view! { <a class="button" href=href rel="next" data-testid="next-page">{t(w::NEXT_PAGE)}</a> }
    });
    view! {
        <div class="table-frame" tabindex="0"><table class="rows">
            <thead><tr>
                <th scope="col">{t(w::TEXT)}</th>
                <th scope="col">{t(p::TASK)}</th>
                <th scope="col">{t(w::USER)}</th>
                <th scope="col">{t(w::MADE_AT)}</th>
                <th scope="col">{t(w::YOU)}</th>
                {head}
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="pager">{first}{next}</p>
    }
    .into_any()
}

fn row_view(row: SampleRow, lead: bool) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let mine = row.labelled_by_me.then(
        || view! { <span title=t(w::MINE)>"✓"<span class="visually-hidden">{t(w::MINE)}</span></span> },
    );
    let seen = lead.then(|| lead_cells(row.lead));
    let html_lang = if row.lang == "zh" { "zh-CN" } else { "en" };
    // The link covers its row: a click anywhere and Enter both open it, without a script.
    view! {
        <tr>
            <td class="wide"><a class="row-link" href=format!("/samples/{}", row.id) lang=html_lang>{row.text}</a></td>
            <td>{c::task(lang, &row.task)}</td>
            <td>{row.user}</td>
            <td class="quiet nowrap">{moment(lang, row.created_at)}</td>
            <td>{mine}</td>
            {seen}
        </tr>
    }
    .into_any()
}

fn lead_cells(lead: Option<SampleRowLead>) -> impl IntoView {
    let t = use_words();
    let side = move |pass: Option<bool>| {
        pass.map(|pass| {
            view! { <span class="side"><Mark pass/>{t(if pass { c::PASS } else { c::FAIL })}</span> }
        })
    };
    lead.map(|lead| {
        let people = (lead.people > 0).then(|| view! { <span class="quiet">" n = " {lead.people}</span> });
        let p = lead.judge_p_min.map(|p| view! { <span class="quiet">{format!(" {} {p:.2}", t(w::LOWEST_P))}</span> });
        let half = if lead.half == "audit" { t(w::AUDIT) } else { t(w::TRAIN) };
        view! { <td>{half}</td><td class="nowrap">{side(lead.people_pass)}{people}</td><td class="nowrap">{side(lead.judge_pass)}{p}</td> }
    })
}

/// The address of a filter, with what is empty left out.
fn address(filter: &SampleFilter) -> String {
    let after = filter.after.map(|id| id.to_string());
    let all = [
        ("task", &filter.task),
        ("text", &filter.text),
        ("user", &filter.user),
        ("lang", &filter.lang),
        ("half", &filter.half),
        ("state", &filter.state),
        ("after", &after),
    ];
    let given = all.into_iter().filter_map(|(name, value)| {
        value.as_deref().map(|value| format!("{name}={}", crate::document::encoded(value)))
    });
    format!("/samples?{}", given.collect::<Vec<_>>().join("&"))
}
