//! The bar below the three zones: what just happened, comment, undo, skip, submit, the day's progress.

use super::criteria::{differs, now};
use super::desk::{Desk, fresh_key};
use super::state::{Current, Event, Notice, Stage};
use crate::i18n::{count, review as w};
use crate::session::{use_lang, use_words};
use leptos::html::{Dialog, Input};
use leptos::prelude::*;

/// The bar. `comment` and `skip` are handles for the keyboard.
#[component]
pub(crate) fn Bar(
    desk: Desk,
    comment: NodeRef<Input>,
    skip: NodeRef<Dialog>,
    keys: NodeRef<Dialog>,
) -> impl IntoView {
    let t = use_words();
    let text = Memo::new(move |_| now(desk, |now| now.comment.clone()).unwrap_or_default());
    let open = Memo::new(move |_| now(desk, Current::open).unwrap_or(false));
    let here = Memo::new(move |_| desk.state.with(|state| state.current.is_some()));
    let show = move |dialog: NodeRef<Dialog>| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.show_modal().unwrap_or_default();
        }
    };
    view! {
        <footer class="bar">
            <Status desk/>
            <label class="comment">
                <span class="visually-hidden">{t(w::COMMENT)}</span>
                <input node_ref=comment type="text" maxlength="2000" data-testid="comment" autocomplete="off"
                    placeholder=t(w::COMMENT_HINT) prop:value=move || text.get() disabled=move || !here.get()
                    on:input:target=move |event| desk.send(Event::Comment(event.target().value()))/>
            </label>
            <div class="actions">
                <button type="button" data-testid="undo" on:click=move |_| desk.send(Event::Undo)>
                    {t(w::UNDO)} <kbd aria-hidden="true">"z"</kbd>
                </button>
                <button type="button" data-testid="skip" disabled=move || !open.get() on:click=move |_| {
                    desk.reason.set("unsure");
                    show(skip);
                }>
                    {t(w::SKIP)} <kbd aria-hidden="true">"s"</kbd>
                </button>
                <Advance desk/>
                <button type="button" class="icon-button" aria-label=t(w::KEYS) on:click=move |_| show(keys)>
                    <kbd aria-hidden="true">"?"</kbd>
                </button>
            </div>
        </footer>
    }
    .into_any()
}

/// Submit before the reveal, keep or save after it: one place, one size, so that nothing jumps.
#[component]
fn Advance(desk: Desk) -> impl IntoView {
    let t = use_words();
    let stage = Memo::new(move |_| {
        now(desk, |now| match now.stage {
            Stage::Blind | Stage::Looking | Stage::Assisted { .. } => 0,
            Stage::Sending => 1,
            Stage::Revealed { .. } if now.changed() => 3,
            Stage::Revealed { .. } => 2,
        })
        .unwrap_or(0)
    });
    let ready = Memo::new(move |_| now(desk, Current::complete).unwrap_or(false));
    let offline = Memo::new(move |_| desk.state.with(|state| state.offline));
    let keep = Memo::new(move |_| stage.get() >= 2);
    let submit = move |_| desk.send(Event::Advance { key: fresh_key() });
    view! {
        <Show when=move || keep.get()>
            <button type="button" data-testid="keep" class:primary=move || stage.get() == 2
                on:click=move |_| desk.send(Event::Keep { key: fresh_key() })>
                {t(w::KEEP)} <kbd aria-hidden="true">"k"</kbd>
            </button>
        </Show>
        <Show when=move || stage.get() != 2>
            <button type="button" class="primary" data-testid="submit" on:click=submit
                disabled=move || !ready.get() || (stage.get() == 1 && !offline.get())>
                {move || t(match (stage.get(), offline.get()) {
                    (0, _) => w::SUBMIT,
                    (1, true) => w::GO_ON,
                    (1, false) => w::SENDING,
                    _ => w::REVISE,
                })}
                " " <kbd aria-hidden="true">"⏎"</kbd>
            </button>
        </Show>
    }
    .into_any()
}

/// The last event in words, and what the verdicts say in all; announced politely.
#[component]
fn Status(desk: Desk) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let notice = Memo::new(move |_| desk.state.with(|state| state.notice.clone()));
    let waiting =
        Memo::new(move |_| desk.state.with(|state| if state.offline { state.outbox.len() } else { 0 }));
    let reveal = Memo::new(move |_| now(desk, |now| reveal_words(lang, now)).flatten());
    let answered = Memo::new(move |_| {
        now(desk, |now| match now.stage {
            Stage::Blind if now.complete() => t(w::ALL_ANSWERED).to_owned(),
            Stage::Blind => w::answered(lang, now.answered(), now.answers.len()),
            _ => String::new(),
        })
        .unwrap_or_default()
    });
    let notice = move || match notice.get() {
        Notice::None => None,
        Notice::NotJudged => Some(t(w::NOT_JUDGED).to_owned()),
        Notice::Kept => Some(t(w::KEPT).to_owned()),
        Notice::Revised => Some(t(w::REVISED).to_owned()),
        Notice::Waiting => Some(t(w::KEPT_HERE).to_owned()),
        Notice::SentLate => Some(t(w::STORED_LATE).to_owned()),
        Notice::Undone => Some(t(w::UNDONE).to_owned()),
        Notice::NothingToUndo => Some(t(w::NOTHING_TO_UNDO).to_owned()),
        Notice::Reopened => Some(t(w::REOPENED).to_owned()),
        Notice::Skipped => Some(t(w::SKIPPED).to_owned()),
        Notice::Escalated => Some(t(w::ESCALATED).to_owned()),
        Notice::Trouble(error) => Some(error.words(lang)),
    };
    view! {
        <div class="status" role="status" aria-live="polite">
            {move || (waiting.get() > 0).then(|| view! { <p class="offline">{w::waiting(lang, waiting.get())}</p> })}
            {move || match (reveal.get(), notice()) {
                (Some(reveal), _) => view! { <p class="reveal" data-testid="reveal">{reveal}</p> }.into_any(),
                (None, Some(notice)) => view! { <p class="notice">{notice}</p> }.into_any(),
                (None, None) => view! { <p class="quiet">{answered.get()}</p> }.into_any(),
            }}
        </div>
    }
    .into_any()
}

/// Differences first, by name.
fn reveal_words(lang: concord_domain::Lang, now: &Current) -> Option<String> {
    let (verdicts, linked, before) = match &now.stage {
        Stage::Assisted { .. } => return Some(w::ASSISTED.get(lang).to_owned()),
        Stage::Revealed { verdicts, linked, before } => (verdicts, linked, before),
        Stage::Blind | Stage::Sending | Stage::Looking => return None,
    };
    let criteria = now.assignment.rubric.criteria.iter().zip(before);
    let different = criteria.filter(|(criterion, mine)| {
        verdicts.iter().filter(|verdict| verdict.criterion == criterion.name).any(|verdict| {
            let label = verdict.label.as_deref().and_then(|label| criterion.label(label));
            label.is_some_and(|label| differs(criterion, label, mine.as_deref()))
        })
    });
    let titles: Vec<String> =
        different.map(|(criterion, _)| criterion.title.get(lang.as_str()).to_owned()).collect();
    let mut words = match (verdicts.is_empty(), titles.is_empty()) {
        (true, _) => w::REOPENED.get(lang).to_owned(),
        (false, true) => w::ALL_SAME.get(lang).to_owned(),
        (false, false) => w::differs_on(lang, &titles),
    };
    // What people failed of the links it rests on, once they are answered.
    for (place, link) in linked.iter().enumerate() {
        words += if place == 0 { w::LINKED.get(lang) } else { "; " };
        words += &link.words();
    }
    Some(words)
}

/// The person's own day: finished today, still open.
#[component]
pub(crate) fn Progress(desk: Desk) -> impl IntoView {
    let t = use_words();
    let progress = Memo::new(move |_| desk.state.with(|state| state.progress));
    let share = move || {
        let progress = progress.get();
        let all = progress.today + progress.open;
        if all > 0 { progress.today * 100 / all } else { 0 }
    };
    view! {
        <p class="progress" data-testid="progress">
            <progress max="100" value=share aria-hidden="true"></progress>
            <b>{move || count(progress.get().today)}</b> " " {t(w::TODAY)} " · "
            <b>{move || count(progress.get().open)}</b> " " {t(w::LEFT)}
        </p>
    }
    .into_any()
}
