//! The right zone: each criterion with its question, answers and guideline, and after the reveal the
//! judge's verdict beside the person's own answer.

use super::desk::Desk;
use super::keys;
use super::state::{Current, Event, Stage};
use crate::i18n::review as w;
use crate::session::{use_lang, use_words};
use crate::ui::icon::Mark;
use concord_domain::{Assignment, Criterion, LabelDef, Verdict};
use leptos::prelude::*;
use leptos::tachys::view::any_view::AnyView;

/// The criteria of an assignment, in rubric order; their places never change.
#[component]
pub(crate) fn CriteriaZone(assignment: Assignment, desk: Desk) -> impl IntoView {
    let t = use_words();
    let id = assignment.id;
    let criteria = assignment.rubric.criteria.into_iter().enumerate();
    let criteria = criteria.map(|(place, criterion)| criterion_view(desk, format!("{id}"), place, criterion));
    view! {
        <section class="zone zone-criteria" aria-labelledby="criteria-zone">
            <h2 id="criteria-zone" class="visually-hidden">{t(w::CRITERIA_ZONE)}</h2>
            <div class="criteria">{criteria.collect_view()}</div>
        </section>
    }
    .into_any()
}

fn criterion_view(desk: Desk, id: String, place: usize, criterion: Criterion) -> AnyView {
    let (t, lang) = (use_words(), use_lang().as_str());
    let open = RwSignal::new(false);
    let answer = Memo::new(move |_| now(desk, |now| now.answers.get(place).cloned().flatten()).flatten());
    let missing = Memo::new(move |_| answer.get().is_none() && now(desk, |now| now.nudged).unwrap_or(false));
    let sending = Memo::new(move |_| now(desk, |now| now.stage == Stage::Sending).unwrap_or(false));
    let name = criterion.name.clone();
    let title_id = format!("criterion-{name}-title");
    let guide_id = format!("guideline-{name}");
    let hint = |pass| keys::hint(place, pass);
    let labels = criterion.labels.iter().map(|label| {
        let first = criterion.first_label(label.pass).is_some_and(|first| first.name == label.name);
        let key = if first { hint(label.pass) } else { None };
        label_view(desk, &id, place, &criterion.name, label, key, answer, sending)
    });
    let labels = labels.collect_view();
    let verdicts = verdicts_view(desk, criterion.clone(), answer);
    view! {
        <article class="criterion" data-testid=format!("criterion-{name}") data-open=move || open.get().then_some("")
            data-missing=move || missing.get().then_some("")>
            <div class="criterion-head">
                <h3 id=title_id.clone()>{criterion.title.get(lang).to_owned()}</h3>
                <button type="button" class="guide-button" aria-expanded=move || open.get().to_string()
                    aria-controls=guide_id.clone()
                    aria-label=format!("{}: {}", t(w::GUIDELINE), criterion.title.get(lang))
                    on:click=move |_| open.update(|open| *open = !*open)>"?"</button>
                <div class="guide" id=guide_id>
                    <p><Mark pass=true/><strong>{t(w::PASSES_WHEN)}</strong> " " {criterion.pass.get(lang).to_owned()}</p>
                    <p><Mark pass=false/><strong>{t(w::FAILS_WHEN)}</strong> " " {criterion.fail.get(lang).to_owned()}</p>
                </div>
            </div>
            <p class="question">{criterion.question.get(lang).to_owned()}</p>
            <div class="answers" role="radiogroup" aria-labelledby=title_id>{labels}</div>
            {verdicts}
        </article>
    }
    .into_any()
}

#[expect(
    clippy::too_many_arguments,
    reason = "a plain builder of one button; a struct would only rename them"
)]
fn label_view(
    desk: Desk,
    id: &str,
    place: usize,
    criterion: &str,
    label: &LabelDef,
    key: Option<char>,
    answer: Memo<Option<String>>,
    sending: Memo<bool>,
) -> AnyView {
    let lang = use_lang().as_str();
    let (chosen, name) = (label.name.clone(), label.name.clone());
    let checked = move || answer.with(|answer| answer.as_deref() == Some(chosen.as_str()));
    let title = match label.title.get(lang) {
        "" => label.name.clone(),
        title => title.to_owned(),
    };
    view! {
        <label class="answer" class:passes=label.pass class:fails=!label.pass
            data-testid=format!("answer-{criterion}-{}", label.name)>
            <input type="radio" name=format!("{id}-{criterion}") value=label.name.clone() prop:checked=checked
                disabled=move || sending.get()
                on:change=move |_| desk.send(Event::Answer { criterion: place, label: name.clone() })/>
            <Mark pass=label.pass/>
            <span class="answer-word">{title}</span>
            {key.map(|key| view! { <kbd aria-hidden="true">{key.to_string()}</kbd> })}
        </label>
    }
    .into_any()
}

/// The verdicts on one criterion, one a judge, compared with the answer given before the reveal.
fn verdicts_view(desk: Desk, criterion: Criterion, answer: Memo<Option<String>>) -> impl IntoView {
    let name = criterion.name.clone();
    let verdicts = Memo::new(move |_| {
        let pick = |now: &Current| -> Vec<Verdict> {
            now.verdicts().iter().filter(|verdict| verdict.criterion == name).cloned().collect()
        };
        now(desk, pick).unwrap_or_default()
    });
    let testid = format!("verdict-{}", criterion.name);
    move || {
        let verdicts = verdicts.get();
        let mine = answer.get();
        (!verdicts.is_empty()).then(|| {
            let each =
                verdicts.into_iter().map(|verdict| verdict_view(&criterion, &verdict, mine.as_deref()));
            view! { <div class="verdicts" data-testid=testid.clone()>{each.collect_view()}</div> }
        })
    }
}

fn verdict_view(criterion: &Criterion, verdict: &Verdict, mine: Option<&str>) -> AnyView {
    let (t, lang) = (use_words(), use_lang().as_str());
    let label = verdict.label.as_deref().and_then(|label| criterion.label(label));
    let differs = label.is_some_and(|label| differs(criterion, label, mine));
    let said = label.map(|label| {
        let title = match label.title.get(lang) {
            "" => label.name.clone(),
            title => title.to_owned(),
        };
        view! { <span class="said" class:passes=label.pass class:fails=!label.pass><Mark pass=label.pass/>{title}</span> }
    });
    let unread = label.is_none().then(|| view! { <span class="quiet">{t(w::UNREADABLE)}</span> });
    let p = verdict
        .p_pass
        .map(|p| view! { <span class="p-pass">{t(w::P_PASS)} " " <b>{format!("{p:.2}")}</b></span> });
    let word = label.filter(|_| mine.is_some()).map(|_| {
        let (class, sign, text) =
            if differs { ("differs", "≠", w::DIFFERS) } else { ("same", "=", w::SAME) };
        view! { <span class=class><span aria-hidden="true">{sign} " "</span>{t(text)}</span> }
    });
    let rationale = verdict.rationale.clone().unwrap_or_else(|| t(w::NO_RATIONALE).to_owned());
    view! {
        <div class="verdict" class:verdict-differs=differs>
            <p class="verdict-line">{word}{said}{unread}{p}</p>
            <p class="rationale">{rationale} " " <span class="judge">{verdict.judge.clone()}</span></p>
        </div>
    }
    .into_any()
}

/// A verdict differs where its side does: another label of the same side is not a disagreement.
pub(super) fn differs(criterion: &Criterion, label: &LabelDef, mine: Option<&str>) -> bool {
    mine.and_then(|mine| criterion.label(mine)).is_some_and(|mine| mine.pass != label.pass)
}

/// Reads the current sample, and follows it.
pub(super) fn now<T>(desk: Desk, read: impl FnOnce(&Current) -> T) -> Option<T> {
    desk.state.with(|state| state.current.as_ref().map(read))
}
