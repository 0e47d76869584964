//! The key sheet and the skip dialog. Native dialogs: the browser keeps and returns the focus.

use super::desk::Desk;
use super::state::Event;
use crate::i18n::{Text, review as w};
use crate::session::use_words;
use leptos::html::Dialog;
use leptos::prelude::*;

/// Every key of the page.
#[component]
pub(crate) fn KeySheet(dialog: NodeRef<Dialog>) -> impl IntoView {
    const KEYS: [(&str, Text); 11] = [
        ("1 2 3 4", w::KEY_ANSWERS),
        ("q w e r", w::KEY_FAILS),
        ("Enter", w::KEY_SUBMIT),
        ("k", w::KEY_KEEP),
        ("z  Ctrl+Z", w::KEY_UNDO),
        ("s", w::KEY_SKIP),
        ("a", w::KEY_ASK),
        ("x", w::KEY_EVIDENCE),
        ("c", w::KEY_COMMENT),
        ("Esc", w::KEY_LEAVE),
        ("?", w::KEY_HELP),
    ];
    let t = use_words();
    let rows = KEYS.map(|(keys, text)| {
        let caps = keys.split_whitespace().map(|key| view! { <kbd>{key}</kbd> " " }).collect_view();
        view! { <div><dt>{caps}</dt><dd>{t(text)}</dd></div> }
    });
    view! {
        <dialog node_ref=dialog class="dialog" aria-labelledby="keys-title">
            <h2 id="keys-title">{t(w::KEYS)}</h2>
            <dl class="key-list">{rows.collect_view()}</dl>
            <form method="dialog" class="dialog-actions"><button class="primary">{t(w::CLOSE)}</button></form>
        </dialog>
    }
    .into_any()
}

/// The choice that asks a lead.
pub(crate) const ASK: &str = "ask";

/// Why a sample is given back: a choice, and words of one's own. One choice asks a lead, in words.
#[component]
pub(crate) fn SkipDialog(desk: Desk, dialog: NodeRef<Dialog>) -> impl IntoView {
    const REASONS: [(&str, Text); 5] = [
        ("unsure", w::SKIP_UNSURE),
        ("language_or_domain", w::SKIP_LANGUAGE),
        ("broken", w::SKIP_BROKEN),
        ("harmful", w::SKIP_HARMFUL),
        (ASK, w::SKIP_ASK),
    ];
    let t = use_words();
    let (reason, more) = (desk.reason, RwSignal::new(String::new()));
    let asks = move || reason.get() == ASK;
    let choices = REASONS.map(|(name, text)| {
        view! {
            <label class="choice">
                <input type="radio" name="skip-reason" value=name prop:checked=move || reason.get() == name
                    on:change=move |_| reason.set(name)/>
                {t(text)}
            </label>
        }
    });
    let skip = move |_| {
        let (words, choice) = (more.get_untracked(), reason.get_untracked());
        let escalate = choice == ASK;
        let reason = match words.trim() {
            "" => choice.to_owned(),
            words if escalate => words.to_owned(),
            words => format!("{choice}: {words}"),
        };
        more.set(String::new());
        desk.send(Event::Skip { reason, escalate });
    };
    view! {
        <dialog node_ref=dialog class="dialog" aria-labelledby="skip-title">
            <h2 id="skip-title">{t(w::SKIP_TITLE)}</h2>
            <p class="quiet">{t(w::SKIP_EFFECT)}</p>
            <form method="dialog" on:submit=skip>
                <fieldset class="choices">
                    <legend class="visually-hidden">{t(w::SKIP_TITLE)}</legend>
                    {choices.collect_view()}
                </fieldset>
                <label class="field">
                    <span>{move || t(if asks() { w::ASK_WHAT } else { w::SKIP_MORE })}</span>
                    <input type="text" name="more" maxlength="300" autocomplete="off" prop:required=asks prop:value=move || more.get()
                        on:input:target=move |event| more.set(event.target().value())/>
                </label>
                <div class="dialog-actions">
                    <button type="button" on:click=move |_| {
                        if let Some(dialog) = dialog.get_untracked() {
                            dialog.close();
                        }
                    }>{t(w::CANCEL)}</button>
                    <button class="primary" data-testid="skip-confirm">
                        {move || t(if asks() { w::ASK_DO } else { w::SKIP_DO })}
                    </button>
                </div>
            </form>
        </dialog>
    }
    .into_any()
}
