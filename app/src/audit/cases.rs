//! `/audit/cases`: what needs a lead, filtered and sorted, its filter in the address; one row opens a case, many
//! selected ones are decided at once.

use super::{encoded, tabs};
use crate::document::Reader;
use crate::i18n::{Text, audit as aw, cases as w, common};
use crate::ui::icon::Mark;
use concord_domain::{
    CASE_ORDERS, CASE_STATES, Case, CaseFilter, CasePage, Error, Outcome, Reason, RubricVersion,
};
use leptos::prelude::*;

/// What was done on the page before, or was refused.
#[derive(Debug, Clone, Default)]
pub struct CaseNotice {
    /// So many decisions were stored.
    pub decided: Option<u32>,
    /// What was entered and why it was not stored.
    pub refused: Option<(ManyEntered, Error)>,
}

/// What was entered to decide on many.
#[derive(Debug, Clone, Default)]
pub struct ManyEntered {
    /// Selected rows, as `SAMPLE/CRITERION`.
    pub cases: Vec<String>,
    /// `pass`, `fail` or `ambiguous`.
    pub outcome: String,
    /// A reason's word.
    pub reason: String,
    /// The note.
    pub note: String,
}

/// The filter as a query, without its place unless asked for.
#[must_use]
pub fn query(filter: &CaseFilter, place: bool) -> String {
    let after = filter.after.clone().filter(|_| place);
    let pairs = [
        ("state", &filter.state),
        ("task", &filter.task),
        ("criterion", &filter.criterion),
        ("judge", &filter.judge),
        ("category", &filter.category),
        ("lang", &filter.lang),
        ("generator", &filter.generator),
        ("annotator", &filter.annotator),
        ("half", &filter.half),
        ("sort", &filter.sort),
        ("after", &after),
    ];
    let pairs: Vec<String> = pairs
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_deref()?))))
        .collect();
    pairs.join("&")
}

/// The address of a case's page, which keeps the filter to go back to.
#[must_use]
pub fn case_address(sample: &str, criterion: &str, filter: &CaseFilter) -> String {
    let query = query(filter, true);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/audit/cases/{}/{}{mark}{query}", encoded(sample), encoded(criterion))
}

/// The list.
#[must_use]
pub fn cases(
    reader: &Reader,
    filter: &CaseFilter,
    page: &CasePage,
    rubrics: &[RubricVersion],
    notice: &CaseNotice,
) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    reader.render(t(w::TITLE), || {
        let unfiltered = *filter == CaseFilter::default();
        let body = match (page.rows.is_empty(), unfiltered) {
            (true, true) => view! {
                <section class="card stack" data-testid="cases-empty">
                    <h2>{t(w::NONE_OPEN)}</h2><p>{t(w::NONE_OPEN_HINT)}</p>
                    <p><a class="button" href="/audit/cases?state=any">{t(w::ANY)}</a></p>
                </section>
            }
            .into_any(),
            (true, false) => view! {
                <section class="card stack"><p>{t(w::NONE_MATCH)}</p>
                    <p><a class="button" href="/audit/cases">{t(w::CLEAR)}</a></p></section>
            }
            .into_any(),
            _ => table(reader, filter, page, notice),
        };
        let open = filter.state.as_deref().is_none_or(|state| state == "open");
        let stored = notice.decided.map(|n| {
            view! { <p class="notice" role="status" data-testid="decided">{w::decided(lang, n)}</p> }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1>{tabs(reader, "/audit/cases")}</div>
                {filters(reader, filter, rubrics)}
                {stored}
                <p class="conclusion" data-testid="cases-total">{w::matching(lang, page.total, open)}
                    " " <a class="small" href="/audit/escalations">{t(w::ESCALATIONS)}</a></p>
                {body}
            </div>
        }
        .into_any()
    })
}

fn filters(reader: &Reader, filter: &CaseFilter, rubrics: &[RubricVersion]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let mut tasks: Vec<String> = rubrics.iter().map(|it| it.rubric.task.clone()).collect();
    tasks.dedup();
    let of_task = |it: &&RubricVersion| filter.task.as_ref().is_none_or(|task| *task == it.rubric.task);
    let mut criteria: Vec<String> = rubrics
        .iter()
        .filter(|it| it.current)
        .filter(of_task)
        .flat_map(|it| it.rubric.criteria.iter().map(|criterion| criterion.name.clone()))
        .collect();
    criteria.sort();
    criteria.dedup();
    let field = |name: &'static str, words: Text, value: &Option<String>| {
        view! { <label class="field"><span>{t(words)}</span><input type="text" name=name value=value.clone()/></label> }
            .into_any()
    };
    let tasks = choices(tasks, &filter.task, |task| common::task(lang, task));
    let criteria = choices(criteria, &filter.criterion, |name| aw::criterion(lang, name));
    let states = choices(words(&CASE_STATES), &filter.state, |state| w::state(lang, state).to_owned());
    let orders = choices(words(&CASE_ORDERS), &filter.sort, |sort| w::order(lang, sort).to_owned());
    let halves = choices(words(&["audit", "train"]), &filter.half, str::to_owned);
    let any = || view! { <option value="">{t(w::ANY)}</option> };
    let csv = format!("/audit/cases.csv?{}", query(filter, false));
    view! {
        <form method="get" action="/audit/cases" class="filters">
            <label class="field"><span>{t(w::STATE)}</span><select name="state">{states}</select></label>
            <label class="field"><span>{t(aw::TASK)}</span><select name="task">{any()}{tasks}</select></label>
            <label class="field"><span>{t(aw::CRITERION)}</span><select name="criterion">{any()}{criteria}</select></label>
            {field("judge", aw::JUDGE, &filter.judge)}
            {field("category", w::CATEGORY, &filter.category)}
            {field("lang", w::LANGUAGE, &filter.lang)}
            {field("generator", w::GENERATOR, &filter.generator)}
            {field("annotator", w::ANNOTATOR, &filter.annotator)}
            <label class="field"><span>{t(w::HALF)}</span><select name="half">{any()}{halves}</select></label>
            <label class="field"><span>{t(w::SORT)}</span><select name="sort">{orders}</select></label>
            <button>{t(aw::SHOW)}</button>
            <a class="button" href=csv data-testid="cases-csv">{t(aw::CSV)}</a>
        </form>
    }
    .into_any()
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// Options of a choice; what is chosen stands among them even where nothing else names it.
fn choices(mut all: Vec<String>, chosen: &Option<String>, shown: impl Fn(&str) -> String) -> AnyView {
    if let Some(chosen) = chosen
        && !all.contains(chosen)
    {
        all.push(chosen.clone());
    }
    let options = all.into_iter().map(|value| {
        let selected = chosen.as_deref() == Some(value.as_str());
        let shown = shown(&value);
        view! { <option value=value selected=selected>{shown}</option> }
    });
    options.collect_view().into_any()
}

fn table(reader: &Reader, filter: &CaseFilter, page: &CasePage, notice: &CaseNotice) -> AnyView {
    let t = reader.words();
    let entered = notice.refused.as_ref().map(|(entered, _)| entered.clone()).unwrap_or_default();
    let rows = page.rows.iter().map(|case| row(reader, filter, case, &entered)).collect_view();
    let action = format!("/audit/cases?{}", query(filter, true));
    let first = filter.after.as_ref().map(|_| {
        let href = format!("/audit/cases?{}", query(filter, false));
        view! { <a class="button" href=href>{t(w::FIRST_PAGE)}</a> }
    });
    let next = page.next.clone().map(|next| {
        let after = CaseFilter { after: Some(next), ..filter.clone() };
        let href = format!("/audit/cases?{}", query(&after, true));
        view! { <a class="button" rel="next" href=href>{t(aw::NEXT_PAGE)}</a> }
    });
    view! {
        <form method="post" action=action class="stack" data-testid="cases-form">
            <div class="table-frame" tabindex="0"><table class="rows cases">
                <thead><tr><th scope="col"><span class="visually-hidden">{t(w::SELECT)}</span></th>
                    <th scope="col">{t(w::SAMPLE)}</th><th scope="col">{t(aw::CRITERION)}</th>
                    <th scope="col">{t(w::PEOPLE)}</th><th scope="col">{t(aw::JUDGE)}</th><th scope="col">{t(w::STATE)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {many(reader, &entered, notice)}
        </form>
        <div class="pager">{first}{next}</div>
    }
    .into_any()
}

fn row(reader: &Reader, filter: &CaseFilter, case: &Case, entered: &ManyEntered) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let text = if case.text.is_empty() { case.key.clone() } else { case.text.clone() };
    let value = format!("{}/{}", case.sample, case.criterion);
    let checked = entered.cases.contains(&value);
    let href = case_address(&case.sample.to_string(), &case.criterion, filter);
    let html_lang = if case.lang == "zh" { "zh-CN" } else { "en" };
    let select = if case.own {
        ().into_any()
    } else {
        let label = format!("{}: {text}", t(w::SELECT));
        view! { <label class="pick"><input type="checkbox" name="case" value=value checked=checked aria-label=label/></label> }.into_any()
    };
    let own = case.own.then(|| view! { <div class="quiet small">{t(w::OWN)}</div> });
    let people = case.people.map(|pass| side(reader, pass));
    let verdict = case.verdict.map(|pass| side(reader, pass));
    let p = case.p_pass.map(|p| format!(" P = {p:.3}"));
    let found = case.adjudicated.map(|outcome| format!(": {}", w::outcome(lang, outcome)));
    view! {
        <tr data-testid="case-row">
            <td>{select}</td>
            <td class="wide"><a class="row-link" lang=html_lang href=href>{text}</a>
                <div class="quiet small">{common::task(lang, &case.task)} " · " {case.half.clone()}</div>{own}</td>
            <td>{aw::criterion(lang, &case.criterion)}</td>
            <td class="nowrap">{people}<span class="quiet">{format!(" {} : {}", case.votes.0, case.votes.1)}</span></td>
            <td class="judge-cell">{verdict}<span class="quiet nowrap">{p}</span><div class="quiet small judge-name">{case.judge.clone()}</div></td>
            <td data-testid="case-state">{w::state(lang, &case.state)}{found}</td>
        </tr>
    }
    .into_any()
}

/// An answer by its mark and word.
pub(super) fn side(reader: &Reader, pass: bool) -> AnyView {
    let words = reader.words()(if pass { common::PASS } else { common::FAIL });
    view! { <span class="side"><Mark pass/>{words}</span> }.into_any()
}

/// One decision for all that are selected.
fn many(reader: &Reader, entered: &ManyEntered, notice: &CaseNotice) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let outcomes = Outcome::ALL.map(|outcome| {
        let selected = entered.outcome == outcome.as_str();
        view! { <option value=outcome.as_str() selected=selected>{w::outcome(lang, outcome)}</option> }
    });
    let reasons = Reason::ALL.map(|reason| {
        let selected = entered.reason == reason.as_str();
        view! { <option value=reason.as_str() selected=selected>{w::reason(lang, reason)}</option> }
    });
    let trouble = notice.refused.as_ref().map(|(_, error)| {
        let words = crate::error::ApiError::from(error.clone()).words(lang);
        view! { <p class="form-error" role="alert">{words}</p> }
    });
    view! {
        <section class="card many" aria-labelledby="many">
            <h2 id="many">{t(w::MANY)}</h2>
            <p class="quiet small">{t(w::MANY_HINT)}</p>
            {trouble}
            <div class="filters">
                <label class="field"><span>{t(w::DECISION)}</span><select name="outcome">{outcomes.collect_view()}</select></label>
                <label class="field"><span>{t(w::REASON)}</span><select name="reason">{reasons.collect_view()}</select></label>
                <label class="field note"><span>{t(w::NOTE)}</span><input type="text" name="note" maxlength="4000" value=entered.note.clone()/></label>
                <button class="primary" data-testid="decide-many">{t(w::MANY)}</button>
            </div>
        </section>
    }
    .into_any()
}
