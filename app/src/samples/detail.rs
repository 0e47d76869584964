//! `/samples/{id}`: one sample with what it rests on, one's own answers, and for leads everything else.

use crate::document::Reader;
use crate::i18n::{moment, samples as w};
use crate::review::{SampleZone, UserZone};
use crate::session::{use_lang, use_words};
use crate::ui::icon::Mark;
use concord_domain::{Answer, Capability, Grade, PersonLabel, Phase, Rubric, SampleDetail, Verdict};
use leptos::prelude::*;

/// A sample's own page.
#[must_use]
pub fn sample(reader: &Reader, detail: SampleDetail) -> String {
    let t = reader.words();
    reader.render(t(w::SAMPLE), || {
        let gold = reader.viewer.can(Capability::ManageProgramme).then(|| {
            let href = format!("/audit/gold/{}", detail.sample.id);
            view! { <a class="button" href=href data-testid="make-gold">{t(crate::i18n::programme::MAKE_GOLD)}</a> }
        });
        view! {
            <div class="page">
                <p class="small"><a href="/samples">"← " {t(w::BACK_TO_SAMPLES)}</a></p>
                <div class="page-top"><h1>{t(w::SAMPLE)}</h1>{gold}</div>
                <Detail detail/>
            </div>
        }
        .into_any()
    })
}

#[component]
fn Detail(detail: SampleDetail) -> impl IntoView {
    let t = use_words();
    let SampleDetail { sample, rubric, mine, verdicts, labels, grade, linked, unsupported, provenance } =
        detail;
    let mut provenance = provenance;
    if let Some(pairs) = &mut provenance {
        // What people found wrong with what it rests on stands first.
        let failed = linked.iter().map(|link| (t(w::LINKED).to_owned(), link.words()));
        let lines = unsupported
            .iter()
            .map(|it| (t(w::UNSUPPORTED_LINE).to_owned(), format!("{} ({})", it.line, it.people)));
        pairs.splice(0..0, failed.chain(lines));
    }
    let verdicts = verdicts.map(|verdicts| view! { <Verdicts verdicts rubric=rubric.clone() grade/> });
    let labels = labels.map(|labels| view! { <Labels labels rubric=rubric.clone()/> });
    let provenance = provenance.map(|pairs| {
        let pairs =
            pairs.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
        view! {
            <section class="card" aria-labelledby="provenance">
                <h2 id="provenance">{t(w::PROVENANCE)}</h2><dl class="pairs">{pairs.collect_view()}</dl>
            </section>
        }
    });
    view! {
        <div class="sample-page">
            <UserZone sample=sample.clone()/>
            <div class="sample-main">
                <SampleZone sample/>
                <Mine mine rubric/>
                {verdicts}
                {labels}
                {provenance}
            </div>
        </div>
    }
    .into_any()
}

/// Title of a criterion, and title and side of one of its labels.
fn words(rubric: &Rubric, criterion: &str, label: &str, lang: &str) -> (String, String, Option<bool>) {
    let Some(found) = rubric.criterion(criterion) else { return (criterion.into(), label.into(), None) };
    let label_def = found.label(label);
    let title =
        label_def.map(|label| label.title.get(lang)).filter(|title| !title.is_empty()).unwrap_or(label);
    (found.title.get(lang).into(), title.into(), label_def.map(|label| label.pass))
}

fn answer_view(title: String, pass: Option<bool>) -> impl IntoView {
    view! { <span class="side">{pass.map(|pass| view! { <Mark pass/> })}{title}</span> }.into_any()
}

#[component]
fn Mine(mine: Vec<Answer>, rubric: Rubric) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang().as_str());
    (!mine.is_empty()).then(|| {
        let rows = mine.into_iter().map(|answer| {
            let (criterion, label, pass) = words(&rubric, &answer.criterion, &answer.label, lang);
            view! { <div><dt>{criterion}</dt><dd>{answer_view(label, pass)}</dd></div> }
        });
        view! {
            <section class="card" aria-labelledby="mine">
                <h2 id="mine">{t(w::MY_LABELS)}</h2><dl class="pairs">{rows.collect_view()}</dl>
            </section>
        }
    })
}

#[component]
fn Verdicts(verdicts: Vec<Verdict>, rubric: Rubric, grade: Option<Grade>) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang().as_str());
    if verdicts.is_empty() && grade.is_none() {
        return empty("verdicts", t(w::VERDICTS), t(w::NO_VERDICT));
    }
    let mut uncalibrated = false;
    let rows = verdicts.into_iter().map(|verdict| {
        let label = verdict.label.unwrap_or_else(|| t(w::UNPARSED).into());
        let (criterion, label, pass) = words(&rubric, &verdict.criterion, &label, lang);
        // What no people's label has corrected is marked: it orders samples, it is no frequency.
        let p = verdict.p_pass.map(|p| format!("{p:.2}{}", if verdict.calibrated { "" } else { " *" }));
        uncalibrated |= !verdict.calibrated;
        view! {
            <tr>
                <th scope="row">{criterion}</th>
                <td class="nowrap">{answer_view(label, pass)}</td>
                <td class="number">{p}</td>
                <td class="wide">{verdict.rationale}</td>
                <td class="quiet">{verdict.judge}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let grade =
        grade.map(|grade| view! { <p>{t(w::GRADE)} " " <b data-testid="grade">{grade.as_str()}</b></p> });
    let note = uncalibrated.then(|| view! { <p class="quiet small">"* " {t(w::UNCALIBRATED)}</p> });
    view! {
        <section class="card" aria-labelledby="verdicts">
            <h2 id="verdicts">{t(w::VERDICTS)}</h2>
            {grade}
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::CRITERION)}</th>
                    <th scope="col">{t(w::ANSWER)}</th>
                    <th scope="col" class="number">"P(pass)"</th>
                    <th scope="col">{t(w::RATIONALE)}</th>
                    <th scope="col">{t(w::JUDGE)}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {note}
        </section>
    }
    .into_any()
}

/// A section that has nothing to show says so, without the heads of a table.
fn empty(id: &'static str, title: &'static str, says: &'static str) -> AnyView {
    view! {
        <section class="card" aria-labelledby=id>
            <h2 id=id>{title}</h2>
            <p class="quiet">{says}</p>
        </section>
    }
    .into_any()
}

#[component]
fn Labels(labels: Vec<PersonLabel>, rubric: Rubric) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    if labels.is_empty() {
        return empty("labels", t(w::ALL_LABELS), t(w::NONE_YET));
    }
    let rows = labels.into_iter().map(|label| {
        let (criterion, title, _) = words(&rubric, &label.criterion, &label.label, lang.as_str());
        let phase = if label.phase == Phase::Blind { w::BLIND } else { w::REVISED };
        view! {
            <tr>
                <th scope="row">{criterion}</th>
                <td>{answer_view(title, Some(label.pass))}</td>
                <td>{label.rater}</td>
                <td>{t(phase)}</td>
                <td class="quiet nowrap">{moment(lang, label.at)}</td>
            </tr>
        }
    });
    view! {
        <section class="card" aria-labelledby="labels">
            <h2 id="labels">{t(w::ALL_LABELS)}</h2>
            <div class="table-frame" tabindex="0"><table>
                <thead><tr>
                    <th scope="col">{t(w::CRITERION)}</th>
                    <th scope="col">{t(w::ANSWER)}</th>
                    <th scope="col">{t(w::WHO)}</th>
                    <th scope="col">{t(w::PHASE)}</th>
                    <th scope="col">{t(w::WHEN)}</th>
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}
