//! The review page's state and what each event does to it. Pure: no DOM, no network, no clock; the
//! effects it returns are carried out by the desk.

mod current;
mod event;
mod flow;

pub(crate) use current::{Current, Stage};
pub(crate) use event::{Effect, Event, Notice};

use super::draft::Pending;
use concord_domain::{Assignment, AssignmentId, MyProgress};
use std::collections::VecDeque;

/// Everything the page knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) current: Option<Current>,
    pub(crate) outbox: Vec<Pending>,
    pub(crate) progress: MyProgress,
    pub(crate) notice: Notice,
    pub(crate) offline: bool,
    pub(crate) fetching: bool,
    queue: VecDeque<Assignment>,
    /// Finished here, newest last: what undo reopens.
    done: Vec<AssignmentId>,
    /// Answered, skipped or refused: a fetch that was already under way may bring them back.
    gone: Vec<AssignmentId>,
}

impl State {
    /// The page as the server rendered it.
    pub(crate) fn new(assignments: Vec<Assignment>, progress: MyProgress) -> Self {
        let mut queue = VecDeque::from(assignments);
        let current = queue.pop_front().map(Current::new);
        Self { current, queue, progress, ..Self::default() }
    }

    /// Applies an event and says what is to be done.
    pub(crate) fn apply(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Answer { criterion, label } => self.answer(criterion, Some(label)),
            Event::Side { criterion, pass } => {
                let label = self.current.as_ref().and_then(|now| now.label_of_side(criterion, pass));
                self.answer(criterion, label)
            }
            Event::Comment(text) => {
                let Some(now) = &mut self.current else { return vec![] };
                now.comment = text;
                vec![Effect::SaveDraft]
            }
            Event::Advance { key } => self.advance(key, false),
            Event::Keep { key } => self.advance(key, true),
            Event::Undo => self.undo(),
            Event::Mark(line) => {
                let marked = self.current.as_mut().is_some_and(|now| now.mark(line));
                if marked { vec![Effect::SaveDraft] } else { vec![] }
            }
            Event::Skip { reason, escalate } => self.skip(reason, escalate),
            Event::SkipEnded(error) => {
                if let Some(error) = error {
                    self.notice = Notice::Trouble(error);
                }
                vec![Effect::Fetch]
            }
            Event::Sent { key } => self.sent(&key),
            Event::SendFailed { key, error } => self.send_failed(&key, error),
            Event::Revealed { id, reveal } => self.revealed(id, reveal),
            Event::RevealFailed { id, error } => {
                if !self.is_current(id) {
                    return vec![];
                }
                self.notice = Notice::Trouble(error);
                self.finish()
            }
            Event::Fetched(assignments) => self.fetched(assignments),
            Event::FetchFailed(error) => {
                self.fetching = false;
                if self.current.is_none() {
                    self.notice = Notice::Trouble(error);
                }
                vec![]
            }
            Event::Reopened { assignment, answers, reveal } => self.reopened(*assignment, &answers, reveal),
            Event::ReopenFailed(error) => {
                self.notice = error.map_or(Notice::NothingToUndo, Notice::Trouble);
                vec![]
            }
            Event::Progress(progress) => {
                self.progress = progress;
                vec![]
            }
            Event::Draft(draft) => self.restore(&draft),
            Event::Outbox(found) => self.found_outbox(found),
            Event::LookAgain => {
                self.notice = Notice::None;
                self.fetching = true;
                vec![Effect::Fetch, Effect::Progress]
            }
        }
    }
}

#[cfg(test)]
mod tests;
