//! Versions of each task, one version with all its words in every language, and two versions line by line.

use crate::document::Reader;
use crate::i18n::{common, count, moment, rubrics as w};
use crate::ui::icon::Mark;
use concord_domain::{Criterion, DiffLine, Localised, Rubric, RubricVersion};
use leptos::prelude::*;
use std::collections::BTreeSet;

/// Every version of every task.
#[must_use]
pub fn list(reader: &Reader, versions: &[RubricVersion]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let mut tasks: Vec<&str> = versions.iter().map(|it| it.rubric.task.as_str()).collect();
    tasks.dedup();
    reader.render(t(w::TITLE), || {
        let empty = tasks.is_empty().then(|| {
            view! { <section class="card stack"><h2>{t(w::NONE)}</h2><p>{t(w::NONE_HINT)}</p></section> }
        });
        let tasks = tasks.iter().map(|task| {
            let of: Vec<&RubricVersion> = versions.iter().filter(|it| it.rubric.task == **task).collect();
            view! {
                <section class="card" data-testid="rubric-task">
                    <h2>{common::task(lang, task)}</h2>
                    <div class="table-frame" tabindex="0"><table>
                        <thead><tr><th scope="col">{t(w::VERSION)}</th><th scope="col">{t(w::CRITERIA)}</th>
                            <th scope="col" class="number">{t(w::SAMPLES)}</th><th scope="col">{t(w::ORIGIN)}</th>
                            <th scope="col">{t(w::STORED)}</th><th scope="col">{t(w::COMPARE)}</th></tr></thead>
                        <tbody>{rows(reader, &of)}</tbody>
                    </table></div>
                </section>
            }
        });
        view! {
            <div class="page">
                <div class="page-top"><h1>{t(w::TITLE)}</h1><a class="button" href="/rubrics/new">{t(w::NEW)}</a></div>
                {empty}{tasks.collect_view()}
            </div>
        }
        .into_any()
    })
}

fn rows(reader: &Reader, of: &[&RubricVersion]) -> AnyView {
    let (t, lang) = (reader.words(), reader.lang());
    let rows = of.iter().enumerate().map(|(place, it)| {
        let (task, version) = (&it.rubric.task, &it.rubric.version);
        let names: Vec<&str> =
            it.rubric.criteria.iter().map(|criterion| criterion.title.get(lang.as_str())).collect();
        let state = if it.current {
            view! { <b class="state">{t(w::CURRENT)}</b> }.into_any()
        } else {
            view! { <span class="quiet">{t(w::OLDER)}</span> }.into_any()
        };
        let before = of.get(place + 1).map(|before| {
            let href = format!("/rubrics/{task}/diff?from={}&to={version}", before.rubric.version);
            view! { <a href=href>{before.rubric.version.clone()} " → " {version.clone()}</a> }
        });
        let origin = t(if it.origin == "imported" { w::IMPORTED } else { w::SHIPPED });
        view! {
            <tr data-testid="rubric-version">
                <th scope="row" class="nowrap"><a href=format!("/rubrics/{task}/{version}")>{version.clone()}</a>" " {state}</th>
                <td class="wide">{names.join(", ")}</td>
                <td class="number">{count(it.samples)}</td>
                <td class="quiet">{origin}</td>
                <td class="quiet nowrap">{moment(lang, it.created_at)}</td>
                <td class="nowrap">{before}</td>
            </tr>
        }
    });
    rows.collect_view().into_any()
}

/// One version, all of it, a column a language.
#[must_use]
pub fn view(reader: &Reader, of: &RubricVersion, published: bool) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let rubric = &of.rubric;
    let title = format!("{} {}", rubric.name.get(lang.as_str()), rubric.version);
    reader.render(&format!("{title} · {}", t(w::TITLE)), || {
        let state = if of.current { w::CURRENT } else { w::OLDER };
        let done = published.then(|| view! { <p class="notice" role="status" data-testid="published">{t(w::PUBLISHED)}</p> });
        let languages = languages(rubric);
        let criteria = rubric.criteria.iter().map(|it| criterion(reader, it, &languages)).collect_view();
        view! {
            <div class="page">
                <div class="page-top"><h1>{title.clone()} " " <span class="quiet">{t(state)}</span></h1>
                    <a class="button primary" href=format!("/rubrics/{}/{}/edit", rubric.task, rubric.version)>{t(w::EDIT)}</a></div>
                <p class="small"><a href="/rubrics">"← " {t(w::BACK)}</a></p>
                {done}
                {criteria}
            </div>
        }
        .into_any()
    })
}

/// Every language that any of its texts is in, English first.
fn languages(of: &Rubric) -> Vec<String> {
    let texts = of.criteria.iter().flat_map(|it| {
        let labels = it.labels.iter().map(|label| &label.title);
        let examples = it.examples.iter().flat_map(|example| [&example.text, &example.why]);
        [&it.title, &it.question, &it.pass, &it.fail].into_iter().chain(labels).chain(examples)
    });
    texts.flat_map(|text| text.0.keys().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn html_lang(code: &str) -> String {
    if code == "zh" { "zh-CN".to_owned() } else { code.to_owned() }
}

/// A text in each language; what it is not written in says so by a dash.
fn cells(of: &Localised, languages: &[String]) -> AnyView {
    let cells = languages.iter().map(|code| {
        let text = of.0.get(code).cloned().unwrap_or_else(|| "–".to_owned());
        view! { <td lang=html_lang(code)>{text}</td> }
    });
    cells.collect_view().into_any()
}

fn criterion(reader: &Reader, of: &Criterion, languages: &[String]) -> AnyView {
    let t = reader.words();
    let heads = || {
        let heads = languages.iter().map(|code| view! { <th scope="col">{w::language(code)}</th> });
        heads.collect_view()
    };
    let labels = of.labels.iter().map(|label| {
        let side = t(if label.pass { common::PASS } else { common::FAIL });
        view! { <tr><th scope="row">{label.name.clone()}</th><td class="nowrap"><span class="side"><Mark pass=label.pass/>{side}</span></td>{cells(&label.title, languages)}</tr> }
    });
    let examples = of.examples.iter().map(|example| {
        let pass = of.label(&example.label).map(|label| view! { <Mark pass=label.pass/> });
        view! {
            <tr><th scope="row" class="nowrap"><span class="side">{pass}{example.label.clone()}</span></th>{cells(&example.text, languages)}</tr>
            <tr><th scope="row" class="quiet">{t(w::WHY)}</th>{cells(&example.why, languages)}</tr>
        }
    });
    let examples = (!of.examples.is_empty()).then(|| {
        view! {
            <h3>{t(w::EXAMPLES)}</h3>
            <div class="table-frame" tabindex="0"><table class="texts"><thead><tr><th scope="col">{t(w::LABEL)}</th>{heads()}</tr></thead>
                <tbody>{examples.collect_view()}</tbody></table></div>
        }
    });
    let order = t(if of.ordered { w::ORDERED } else { w::UNORDERED });
    view! {
        <section class="card" data-testid="rubric-criterion">
            <h2>{of.title.get(reader.lang().as_str()).to_owned()} " " <span class="quiet">{of.name.clone()}</span></h2>
            <div class="table-frame" tabindex="0"><table class="texts">
                <thead><tr><td></td>{heads()}</tr></thead>
                <tbody>
                    <tr><th scope="row">{t(w::QUESTION)}</th>{cells(&of.question, languages)}</tr>
                    <tr><th scope="row" class="nowrap"><span class="side"><Mark pass=true/>{t(w::PASSES)}</span></th>{cells(&of.pass, languages)}</tr>
                    <tr><th scope="row" class="nowrap"><span class="side"><Mark pass=false/>{t(w::FAILS)}</span></th>{cells(&of.fail, languages)}</tr>
                </tbody>
            </table></div>
            <h3>{t(w::LABELS)} " " <span class="quiet">{order}</span></h3>
            <div class="table-frame" tabindex="0"><table class="texts">
                <thead><tr><th scope="col">{t(w::LABEL)}</th><th scope="col">{t(w::SIDE)}</th>{heads()}</tr></thead>
                <tbody>{labels.collect_view()}</tbody>
            </table></div>
            {examples}
        </section>
    }
    .into_any()
}

/// Two versions, line by line.
#[must_use]
pub fn diff(reader: &Reader, task: &str, from: &str, to: &str, all: &[DiffLine]) -> String {
    let (t, lang) = (reader.words(), reader.lang());
    let title = format!("{} {from} → {to}", common::task(lang, task));
    reader.render(&format!("{title} · {}", t(w::TITLE)), || {
        view! {
            <div class="page">
                <div class="page-top"><h1>{title.clone()}</h1></div>
                <p class="small"><a href="/rubrics">"← " {t(w::BACK)}</a></p>
                <section class="card">{lines(reader, all)}</section>
            </div>
        }
        .into_any()
    })
}

/// Lines with their signs; far from any change they are left out.
pub(super) fn lines(reader: &Reader, all: &[DiffLine]) -> AnyView {
    /// Lines kept around a change.
    const AROUND: usize = 3;
    let t = reader.words();
    let changed: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| line.sign != '=').map(|(place, _)| place).collect();
    if changed.is_empty() {
        return view! { <p class="quiet">{t(w::NO_CHANGE)}</p> }.into_any();
    }
    let near = |place: usize| {
        let after = changed.partition_point(|at| *at < place.saturating_sub(AROUND));
        changed.get(after).is_some_and(|at| *at <= place + AROUND)
    };
    let mut hidden = false;
    let mut shown = Vec::new();
    for (place, line) in all.iter().enumerate() {
        if !near(place) {
            if !hidden {
                shown.push(view! { <li class="gap">"…"</li> }.into_any());
            }
            hidden = true;
            continue;
        }
        hidden = false;
        let text = line.text.clone();
        shown.push(match line.sign {
            '+' => view! { <li><ins><span class="visually-hidden">{t(w::ADDED)}": "</span>{text}</ins></li> }
                .into_any(),
            '-' => {
                view! { <li><del><span class="visually-hidden">{t(w::REMOVED)}": "</span>{text}</del></li> }
                    .into_any()
            }
            _ => view! { <li>{text}</li> }.into_any(),
        });
    }
    view! { <ol class="diff" tabindex="0" data-testid="diff">{shown}</ol> }.into_any()
}
