//! How a sample goes from hand to hand: answered, sent, revealed, revised, given back, taken up again.

use super::super::draft::{Draft, Pending};
use super::{Current, Effect, Notice, Stage, State};
use crate::error::ApiError;
use concord_domain::{Answer, Assignment, AssignmentId, Error, Phase, Reveal};

impl State {
    pub(super) fn is_current(&self, id: AssignmentId) -> bool {
        self.current.as_ref().is_some_and(|now| now.assignment.id == id)
    }

    pub(super) fn answer(&mut self, criterion: usize, label: Option<String>) -> Vec<Effect> {
        let (Some(now), Some(label)) = (&mut self.current, label) else { return vec![] };
        if !now.answer(criterion, &label) {
            return vec![];
        }
        self.notice = Notice::None;
        vec![Effect::SaveDraft]
    }

    pub(super) fn advance(&mut self, key: String, keep: bool) -> Vec<Effect> {
        let offline = self.offline;
        let Some(now) = &mut self.current else { return vec![] };
        match &now.stage {
            Stage::Looking => vec![],
            Stage::Blind | Stage::Assisted { .. } if keep => vec![],
            Stage::Blind | Stage::Assisted { .. } if !now.complete() => {
                now.nudged = true;
                vec![]
            }
            // The verdicts were seen first, so this is the first and the last answer.
            Stage::Assisted { .. } => {
                self.notice = Notice::None;
                self.outbox.push(now.pending(key, Phase::Revised, now.named()));
                let mut effects = vec![Effect::StoreOutbox, Effect::Flush];
                effects.extend(self.finish());
                effects
            }
            Stage::Blind => {
                let pending = now.pending(key, Phase::Blind, now.named());
                now.stage = Stage::Sending;
                self.notice = Notice::None;
                self.outbox.push(pending);
                vec![Effect::StoreOutbox, Effect::Flush]
            }
            // The answer is safe in the outbox: a dead network need not stop the work.
            Stage::Sending if offline => self.finish(),
            Stage::Sending => vec![],
            Stage::Revealed { before, .. } => {
                if keep {
                    now.answers = before.clone();
                }
                self.notice = if now.changed() { Notice::Revised } else { Notice::Kept };
                self.outbox.push(now.pending(key, Phase::Revised, now.named()));
                let mut effects = vec![Effect::StoreOutbox, Effect::Flush];
                effects.extend(self.finish());
                effects
            }
        }
    }

    /// The current sample is done with; the next one takes its place at once.
    pub(super) fn finish(&mut self) -> Vec<Effect> {
        let Some(now) = self.current.take() else { return vec![] };
        let id = now.assignment.id;
        self.done.push(id);
        self.gone.push(id);
        let mut effects = vec![Effect::ForgetDraft(id)];
        effects.extend(self.take_next());
        effects
    }

    /// An assisted sample shows its verdicts first.
    pub(crate) fn opening(&self) -> Option<Effect> {
        let now = self.current.as_ref().filter(|now| now.stage == Stage::Looking)?;
        Some(Effect::Reveal(now.assignment.id))
    }

    fn take_next(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.current = self.queue.pop_front().map(Current::new);
        if let Some(now) = &self.current {
            effects.push(Effect::LoadDraft(now.assignment.id));
        }
        effects.extend(self.opening());
        if self.queue.is_empty() {
            self.fetching = true;
            effects.push(Effect::Fetch);
        }
        effects
    }

    pub(super) fn undo(&mut self) -> Vec<Effect> {
        if let Some(now) = &mut self.current {
            if now.stage == Stage::Sending {
                return vec![];
            }
            if let Some(answers) = now.undo.pop() {
                now.answers = answers;
                self.notice = Notice::Undone;
                return vec![Effect::SaveDraft];
            }
        }
        // An answer still on its way cannot be reopened yet.
        if !self.outbox.is_empty() && self.offline {
            self.notice = Notice::Waiting;
            return vec![];
        }
        vec![Effect::Reopen(self.done.last().copied())]
    }

    pub(super) fn skip(&mut self, reason: String, escalate: bool) -> Vec<Effect> {
        let Some(now) = self.current.take_if(|now| now.open()) else { return vec![] };
        let id = now.assignment.id;
        self.gone.push(id);
        self.notice = if escalate { Notice::Escalated } else { Notice::Skipped };
        let mut effects = vec![Effect::ForgetDraft(id)];
        effects.extend(self.take_next().into_iter().filter(|effect| *effect != Effect::Fetch));
        // The fetch follows when the skip is in: before that the server would hand the sample back.
        effects.push(Effect::Skip(id, reason, escalate));
        effects
    }

    fn take_pending(&mut self, key: &str) -> Option<Pending> {
        let place = self.outbox.iter().position(|pending| pending.key == key)?;
        Some(self.outbox.remove(place))
    }

    pub(super) fn sent(&mut self, key: &str) -> Vec<Effect> {
        let Some(pending) = self.take_pending(key) else { return vec![] };
        if self.offline && self.outbox.is_empty() {
            self.notice = Notice::SentLate;
        }
        self.offline = false;
        let mut effects = vec![Effect::Settled(key.to_owned())];
        if self.current.is_none() && self.outbox.is_empty() && !self.fetching {
            self.fetching = true;
            effects.push(Effect::Fetch);
        }
        if pending.first {
            self.progress.today += 1;
            self.progress.total += 1;
            self.progress.open = (self.progress.open - 1).max(0);
            if pending.submission.phase == Phase::Blind && self.is_current(pending.assignment) {
                effects.push(Effect::Reveal(pending.assignment));
            }
        }
        effects
    }

    pub(super) fn send_failed(&mut self, key: &str, error: ApiError) -> Vec<Effect> {
        if error == ApiError::Refused(Error::NotSignedIn) {
            self.offline = true;
            self.notice = Notice::Trouble(error);
            return vec![];
        }
        if error.is_passing() {
            self.offline = true;
            self.notice = Notice::Waiting;
            return vec![];
        }
        let Some(pending) = self.take_pending(key) else { return vec![] };
        let mut effects = vec![Effect::Settled(key.to_owned())];
        let blind = pending.submission.phase == Phase::Blind;
        if let Some(now) = &mut self.current
            && blind
            && now.assignment.id == pending.assignment
        {
            if matches!(error, ApiError::Refused(Error::Invalid { .. })) {
                now.stage = Stage::Blind;
            } else {
                effects.extend(self.finish());
                // Nothing was stored, so there is nothing to go back to.
                self.done.pop();
            }
        }
        self.notice = Notice::Trouble(error);
        effects
    }

    pub(super) fn revealed(&mut self, id: AssignmentId, reveal: Reveal) -> Vec<Effect> {
        let Some(now) = self.current.as_mut().filter(|now| now.assignment.id == id) else { return vec![] };
        if now.stage == Stage::Looking {
            now.stage = Stage::Assisted { verdicts: reveal.verdicts };
            return vec![];
        }
        if now.stage != Stage::Sending {
            return vec![];
        }
        if reveal.verdicts.is_empty() {
            self.notice = Notice::NotJudged;
            return self.finish();
        }
        let Reveal { verdicts, linked } = reveal;
        now.stage = Stage::Revealed { verdicts, linked, before: now.answers.clone() };
        now.undo.clear();
        now.seconds = 0.0;
        vec![Effect::SaveDraft]
    }

    pub(super) fn fetched(&mut self, assignments: Vec<Assignment>) -> Vec<Effect> {
        self.fetching = false;
        for assignment in assignments {
            let id = assignment.id;
            let known = self.is_current(id)
                || self.gone.contains(&id)
                || self.queue.iter().any(|queued| queued.id == id)
                || self.outbox.iter().any(|pending| pending.assignment == id);
            if !known {
                self.queue.push_back(assignment);
            }
        }
        if self.current.is_none() && !self.queue.is_empty() {
            return self.take_next();
        }
        vec![]
    }

    pub(super) fn reopened(
        &mut self,
        assignment: Assignment,
        answers: &[Answer],
        reveal: Reveal,
    ) -> Vec<Effect> {
        let id = assignment.id;
        self.done.retain(|done| *done != id);
        self.queue.retain(|queued| queued.id != id);
        if let Some(now) = self.current.take().filter(|now| now.assignment.id != id) {
            if now.open() {
                self.queue.push_front(now.assignment);
            } else {
                self.done.push(now.assignment.id);
            }
        }
        let mut now = Current::new(assignment);
        now.answers = now.by_place(answers);
        let Reveal { verdicts, linked } = reveal;
        now.stage = Stage::Revealed { verdicts, linked, before: now.answers.clone() };
        self.current = Some(now);
        self.notice = Notice::Reopened;
        vec![Effect::LoadDraft(id)]
    }

    pub(super) fn restore(&mut self, draft: &Draft) -> Vec<Effect> {
        let Some(now) = self.current.as_mut().filter(|now| now.assignment.id == draft.assignment) else {
            return vec![];
        };
        // What the person has done since the page was there counts more than what the browser has found meanwhile.
        let untouched = now.undo.is_empty() && now.comment.is_empty();
        if untouched && now.revealed() == draft.revised && now.stage != Stage::Sending {
            now.answers = now.by_place(&draft.answers);
            now.comment.clone_from(&draft.comment);
            now.seconds = draft.seconds;
            now.unsupported.clone_from(&draft.unsupported);
        }
        vec![]
    }

    /// Answers of an earlier visit that were never confirmed: they go out first.
    pub(super) fn found_outbox(&mut self, mut found: Vec<Pending>) -> Vec<Effect> {
        found.retain(|pending| self.outbox.iter().all(|known| known.key != pending.key));
        if found.is_empty() {
            return vec![];
        }
        if let Some(now) = &mut self.current
            && let Some(pending) = found.iter().find(|pending| pending.assignment == now.assignment.id)
        {
            now.answers = now.by_place(&pending.submission.answers);
            now.unsupported.clone_from(&pending.submission.unsupported);
            now.stage = Stage::Sending;
        }
        self.queue.retain(|queued| found.iter().all(|pending| pending.assignment != queued.id));
        self.outbox.splice(0..0, found);
        // Shown as waiting until the server has them.
        self.offline = true;
        vec![Effect::Flush]
    }
}
