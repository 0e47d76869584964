//! The three zones and the bar, wired to the keyboard and to what the browser reports.

use super::bar::{Bar, Progress};
use super::criteria::CriteriaZone;
use super::desk::{Desk, fresh_key};
use super::dialogs::{ASK, KeySheet, SkipDialog};
use super::keys::{self, Command, Press};
use super::state::{Current, Event, State};
use super::{SampleZone, UserZone};
use crate::i18n::{common, review as w};
use crate::session::{use_lang, use_viewer, use_words};
use concord_domain::{Assignment, MyProgress};
use leptos::ev::KeyboardEvent;
use leptos::html::{Dialog, Input};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use std::time::Duration;

/// The page's one decision. What the server rendered is the first sample; the rest happens here.
#[component]
pub(crate) fn Workspace(assignments: Vec<Assignment>, progress: MyProgress, task: String) -> impl IntoView {
    let account = use_viewer().actor.map(|actor| actor.account.to_string()).unwrap_or_default();
    let desk = Desk::new(State::new(assignments, progress), account, task.clone());
    let comment = NodeRef::<Input>::new();
    let (sheet, skip) = (NodeRef::<Dialog>::new(), NodeRef::<Dialog>::new());
    listen(desk, comment, sheet, skip);
    let current =
        Memo::new(move |_| desk.state.with(|state| state.current.as_ref().map(|now| now.assignment.id)));
    let zones = move || {
        // Read, not only tracked: a memo that nobody reads never runs and never tells.
        let assignment = current.get().and_then(|_| {
            desk.state.with_untracked(|state| state.current.as_ref().map(|now| now.assignment.clone()))
        });
        match assignment {
            Some(assignment) => view! {
                <UserZone sample=assignment.sample.clone() desk/>
                <SampleZone sample=assignment.sample.clone()/>
                <CriteriaZone assignment desk/>
            }
            .into_any(),
            None => view! { <Empty desk/> }.into_any(),
        }
    };
    view! {
        <div class="review">
            <div class="review-top">
                <TaskPicker task/>
                <Progress desk/>
            </div>
            <div class="zones">{zones}</div>
            <Bar desk comment skip keys=sheet/>
            <KeySheet dialog=sheet/>
            <SkipDialog desk dialog=skip/>
        </div>
    }
    .into_any()
}

/// One task at a time decides faster; all of them is the default. Plain links, so a choice has an address.
#[component]
fn TaskPicker(task: String) -> impl IntoView {
    let (t, lang) = (use_words(), use_lang());
    let link = |name: &str, words: String| {
        let href = if name.is_empty() { "/review".to_owned() } else { format!("/review?task={name}") };
        let current = (name == task).then_some("page");
        view! { <a href=href rel="external" aria-current=current>{words}</a> }
    };
    let tasks = concord_domain::TASKS.map(|name| link(name, common::task(lang, name)));
    view! {
        <nav class="tasks" aria-label=t(common::REVIEW)>
            {link("", t(w::ALL_TASKS).to_owned())}
            {tasks.collect_view()}
        </nav>
    }
    .into_any()
}

/// Nothing to decide: a skeleton while a fetch runs, else that the queue is done.
#[component]
fn Empty(desk: Desk) -> impl IntoView {
    let t = use_words();
    let lang = use_lang();
    let fetching = Memo::new(move |_| desk.state.with(|state| state.fetching));
    let waiting =
        Memo::new(move |_| desk.state.with(|state| if state.offline { state.outbox.len() } else { 0 }));
    move || {
        if fetching.get() {
            return view! { <div class="zone skeleton" aria-busy="true"></div>
            <div class="zone skeleton"></div><div class="zone skeleton"></div> }
            .into_any();
        }
        if waiting.get() > 0 {
            return view! { <section class="queue-empty"><h2>{w::waiting(lang, waiting.get())}</h2></section> }
                .into_any();
        }
        view! {
            <section class="queue-empty" data-testid="queue-empty">
                <h2>{t(w::QUEUE_EMPTY)}</h2>
                <p>{t(w::QUEUE_EMPTY_HINT)}</p>
                <button type="button" on:click=move |_| desk.send(Event::LookAgain)>{t(w::LOOK_AGAIN)}</button>
            </section>
        }
        .into_any()
    }
}

/// Keys, seconds, the network's return and the timeline's place. Effects never run on the server.
fn listen(desk: Desk, comment: NodeRef<Input>, sheet: NodeRef<Dialog>, skip: NodeRef<Dialog>) {
    Effect::new(move |_| {
        desk.resume();
        let keys = window_event_listener(leptos::ev::keydown, move |event| {
            if let Some(command) = command(&event) {
                obey(desk, command, &event, comment, sheet, skip);
            }
        });
        let online = window_event_listener(leptos::ev::online, move |_| desk.flush());
        let clock = set_interval_with_handle(
            move || {
                if document().visibility_state() == web_sys::VisibilityState::Visible {
                    desk.tick();
                }
            },
            Duration::from_secs(1),
        );
        on_cleanup(move || {
            keys.remove();
            online.remove();
            if let Ok(clock) = clock {
                clock.clear();
            }
        });
    });
    let current =
        Memo::new(move |_| desk.state.with(|state| state.current.as_ref().map(|now| now.assignment.id)));
    Effect::new(move |_| {
        current.get();
        // After this frame the new lines are in the document.
        request_animation_frame(show_evidence);
    });
}

/// The command of a press. Key code 229 is an input method at work, in browsers that do not yet say
/// `isComposing` on the first press.
fn command(event: &KeyboardEvent) -> Option<Command> {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let tag = target.as_ref().map(web_sys::Element::tag_name).unwrap_or_default();
    let radio = target.is_some_and(|target| target.get_attribute("type").as_deref() == Some("radio"));
    keys::command(Press {
        key: &event.key(),
        composing: event.is_composing() || event.key_code() == 229,
        ctrl: event.ctrl_key() || event.meta_key(),
        alt: event.alt_key(),
        typing: matches!(tag.as_str(), "TEXTAREA" | "SELECT") || (tag == "INPUT" && !radio),
        pressable: matches!(tag.as_str(), "BUTTON" | "A" | "SUMMARY"),
    })
}

fn obey(
    desk: Desk,
    command: Command,
    event: &KeyboardEvent,
    comment: NodeRef<Input>,
    sheet: NodeRef<Dialog>,
    skip: NodeRef<Dialog>,
) {
    // An open dialog has the keyboard to itself; the browser closes it on Escape.
    if document().query_selector("dialog[open]").ok().flatten().is_some() {
        return;
    }
    let show = |dialog: NodeRef<Dialog>| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.show_modal().unwrap_or_default();
        }
    };
    let give_back = |reason| {
        if desk.state.with_untracked(|state| state.current.as_ref().is_some_and(Current::open)) {
            desk.reason.set(reason);
            show(skip);
        }
    };
    match command {
        Command::Answer { criterion, pass } => desk.send(Event::Side { criterion, pass }),
        Command::Advance => desk.send(Event::Advance { key: fresh_key() }),
        Command::Keep => desk.send(Event::Keep { key: fresh_key() }),
        Command::Undo => desk.send(Event::Undo),
        Command::Skip => give_back("unsure"),
        Command::Ask => give_back(ASK),
        Command::Evidence => next_evidence(),
        Command::Help => show(sheet),
        Command::Comment => {
            if let Some(comment) = comment.get_untracked() {
                comment.focus().unwrap_or_default();
            }
        }
        Command::Leave => {
            if let Some(comment) = comment.get_untracked() {
                comment.blur().unwrap_or_default();
            }
            return;
        }
    }
    event.prevent_default();
}

/// Puts the focus on the mark of the next cited line; Enter or Space presses it.
fn next_evidence() {
    let Ok(marks) = document().query_selector_all(".mark-evidence") else { return };
    let of = |place: u32| marks.item(place).and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok());
    let here = document().active_element();
    let is_here = |place: &u32| of(*place).map(web_sys::Element::from) == here;
    let next = (0..marks.length()).find(is_here).map_or(0, |place| (place + 1) % marks.length());
    if let Some(mark) = of(next) {
        mark.focus().unwrap_or_default();
    }
}

/// Scrolls the first cited line to the middle of the timeline, or to its newest line where none is cited,
/// without moving the page.
fn show_evidence() {
    let find = |selector| document().query_selector(selector).ok().flatten();
    let Some(timeline) = find(".timeline") else { return };
    let Some(line) = find(".timeline .cited") else { return timeline.set_scroll_top(0) };
    let (frame, place) = (timeline.get_bounding_client_rect(), line.get_bounding_client_rect());
    let middle = (frame.height() - place.height()).max(0.0) / 2.0;
    let offset = place.top() - frame.top() - middle;
    #[expect(clippy::cast_possible_truncation, reason = "pixels on a screen fit an i32")]
    timeline.set_scroll_top(timeline.scroll_top() + offset as i32);
}
