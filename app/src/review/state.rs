//! The review page's state and what each event does to it. Pure: no DOM, no network, no clock; the
//! effects it returns are carried out by the desk.

use super::draft::{Draft, Pending};
use crate::error::ApiError;
use concord_domain::{Answer, Assignment, AssignmentId, Error, MyProgress, Phase, Submission, Verdict};
use std::collections::VecDeque;

/// Answers by criterion, in rubric order.
pub(crate) type Answers = Vec<Option<String>>;

/// How many steps of a draft can be undone.
const UNDO_STEPS: usize = 50;

/// Where the current sample stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Answers are given; no verdict has been seen.
    Blind,
    /// The blind answers are on their way.
    Sending,
    /// Verdicts are shown beside the answers that were given before.
    Revealed { verdicts: Vec<Verdict>, before: Answers },
}

/// The sample in front of the person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Current {
    pub(crate) assignment: Assignment,
    pub(crate) answers: Answers,
    pub(crate) comment: String,
    pub(crate) seconds: f64,
    pub(crate) stage: Stage,
    /// Enter was pressed too early: show what is missing.
    pub(crate) nudged: bool,
    undo: Vec<Answers>,
}

/// What the page says about the last event.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Notice {
    #[default]
    None,
    NotJudged,
    Kept,
    Revised,
    Waiting,
    SentLate,
    Undone,
    NothingToUndo,
    Reopened,
    Skipped,
    Trouble(ApiError),
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// An answer by name, from a press on its button.
    Answer {
        criterion: usize,
        label: String,
    },
    /// An answer by side, from a key; again takes the side's next label.
    Side {
        criterion: usize,
        pass: bool,
    },
    Comment(String),
    /// Enter: submit, go on or revise. The key is fresh and used only if something is sent.
    Advance {
        key: String,
    },
    /// Keep all answers as they were before the reveal.
    Keep {
        key: String,
    },
    Undo,
    Skip {
        reason: String,
    },
    SkipEnded(Option<ApiError>),
    Sent {
        key: String,
    },
    SendFailed {
        key: String,
        error: ApiError,
    },
    Revealed {
        id: AssignmentId,
        verdicts: Vec<Verdict>,
    },
    RevealFailed {
        id: AssignmentId,
        error: ApiError,
    },
    Fetched(Vec<Assignment>),
    FetchFailed(ApiError),
    Reopened {
        assignment: Box<Assignment>,
        answers: Vec<Answer>,
        verdicts: Vec<Verdict>,
    },
    ReopenFailed(Option<ApiError>),
    Progress(MyProgress),
    /// Drafts and unsent answers found in the browser.
    Draft(Draft),
    Outbox(Vec<Pending>),
    LookAgain,
}

/// What the desk must do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    StoreOutbox,
    /// That pending answer is settled: it need not be kept.
    Settled(String),
    Flush,
    Reveal(AssignmentId),
    Fetch,
    Skip(AssignmentId, String),
    /// Reopen that assignment, or the last one the server knows of.
    Reopen(Option<AssignmentId>),
    SaveDraft,
    LoadDraft(AssignmentId),
    ForgetDraft(AssignmentId),
    Progress,
}

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

impl Current {
    fn new(assignment: Assignment) -> Self {
        let answers = vec![None; assignment.rubric.criteria.len()];
        Self {
            assignment,
            answers,
            comment: String::new(),
            seconds: 0.0,
            stage: Stage::Blind,
            nudged: false,
            undo: Vec::new(),
        }
    }

    /// Every criterion has an answer.
    pub(crate) fn complete(&self) -> bool {
        self.answers.iter().all(Option::is_some)
    }

    /// Criteria with an answer.
    pub(crate) fn answered(&self) -> usize {
        self.answers.iter().flatten().count()
    }

    /// The answers differ from those given before the reveal.
    pub(crate) fn changed(&self) -> bool {
        matches!(&self.stage, Stage::Revealed { before, .. } if *before != self.answers)
    }

    /// The verdicts are on the screen.
    pub(crate) fn revealed(&self) -> bool {
        matches!(self.stage, Stage::Revealed { .. })
    }

    fn named(&self) -> Vec<Answer> {
        let criteria = self.assignment.rubric.criteria.iter();
        criteria
            .zip(&self.answers)
            .filter_map(|(criterion, label)| {
                Some(Answer { criterion: criterion.name.clone(), label: label.clone()? })
            })
            .collect()
    }

    fn by_place(&self, named: &[Answer]) -> Answers {
        let criteria = self.assignment.rubric.criteria.iter();
        criteria
            .map(|criterion| {
                let label = &named.iter().find(|answer| answer.criterion == criterion.name)?.label;
                criterion.label(label).map(|label| label.name.clone())
            })
            .collect()
    }

    /// The draft to keep in the browser.
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            assignment: self.assignment.id,
            answers: self.named(),
            comment: self.comment.clone(),
            seconds: self.seconds,
            revised: self.revealed(),
        }
    }

    fn answer(&mut self, criterion: usize, label: &str) -> bool {
        let known = self.assignment.rubric.criteria.get(criterion).is_some_and(|c| c.label(label).is_some());
        if !known || self.stage == Stage::Sending || self.answers[criterion].as_deref() == Some(label) {
            return false;
        }
        self.undo.push(self.answers.clone());
        if self.undo.len() > UNDO_STEPS {
            self.undo.remove(0);
        }
        self.answers[criterion] = Some(label.to_owned());
        true
    }

    /// The label a key means: the side's first, or the one after the present answer on that side.
    fn label_of_side(&self, criterion: usize, pass: bool) -> Option<String> {
        let labels = &self.assignment.rubric.criteria.get(criterion)?.labels;
        let side: Vec<_> = labels.iter().filter(|label| label.pass == pass).collect();
        let present = self.answers[criterion].as_deref();
        let place = side.iter().position(|label| Some(label.name.as_str()) == present);
        side.get(place.map_or(0, |i| (i + 1) % side.len())).map(|label| label.name.clone())
    }

    fn pending(&self, key: String, phase: Phase, answers: Vec<Answer>) -> Pending {
        let comment = self.comment.trim();
        let comment = (!comment.is_empty()).then(|| comment.to_owned());
        let submission = Submission { phase, answers, comment, seconds: Some(self.seconds) };
        Pending { assignment: self.assignment.id, key, submission }
    }
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
            Event::Skip { reason } => self.skip(reason),
            Event::SkipEnded(error) => {
                if let Some(error) = error {
                    self.notice = Notice::Trouble(error);
                }
                vec![Effect::Fetch]
            }
            Event::Sent { key } => self.sent(&key),
            Event::SendFailed { key, error } => self.send_failed(&key, error),
            Event::Revealed { id, verdicts } => self.revealed(id, verdicts),
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
            Event::Reopened { assignment, answers, verdicts } => {
                self.reopened(*assignment, &answers, verdicts)
            }
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

    fn is_current(&self, id: AssignmentId) -> bool {
        self.current.as_ref().is_some_and(|now| now.assignment.id == id)
    }

    fn answer(&mut self, criterion: usize, label: Option<String>) -> Vec<Effect> {
        let (Some(now), Some(label)) = (&mut self.current, label) else { return vec![] };
        if !now.answer(criterion, &label) {
            return vec![];
        }
        self.notice = Notice::None;
        vec![Effect::SaveDraft]
    }

    fn advance(&mut self, key: String, keep: bool) -> Vec<Effect> {
        let offline = self.offline;
        let Some(now) = &mut self.current else { return vec![] };
        match &now.stage {
            Stage::Blind if keep => vec![],
            Stage::Blind if !now.complete() => {
                now.nudged = true;
                vec![]
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
    fn finish(&mut self) -> Vec<Effect> {
        let Some(now) = self.current.take() else { return vec![] };
        let id = now.assignment.id;
        self.done.push(id);
        self.gone.push(id);
        let mut effects = vec![Effect::ForgetDraft(id)];
        effects.extend(self.take_next());
        effects
    }

    fn take_next(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.current = self.queue.pop_front().map(Current::new);
        if let Some(now) = &self.current {
            effects.push(Effect::LoadDraft(now.assignment.id));
        }
        if self.queue.is_empty() {
            self.fetching = true;
            effects.push(Effect::Fetch);
        }
        effects
    }

    fn undo(&mut self) -> Vec<Effect> {
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

    fn skip(&mut self, reason: String) -> Vec<Effect> {
        let blind = self.current.as_ref().is_some_and(|now| now.stage == Stage::Blind);
        let Some(now) = self.current.take_if(|_| blind) else { return vec![] };
        let id = now.assignment.id;
        self.gone.push(id);
        self.notice = Notice::Skipped;
        let mut effects = vec![Effect::ForgetDraft(id)];
        effects.extend(self.take_next().into_iter().filter(|effect| *effect != Effect::Fetch));
        // The fetch follows when the skip is in: before that the server would hand the sample back.
        effects.push(Effect::Skip(id, reason));
        effects
    }

    fn take_pending(&mut self, key: &str) -> Option<Pending> {
        let place = self.outbox.iter().position(|pending| pending.key == key)?;
        Some(self.outbox.remove(place))
    }

    fn sent(&mut self, key: &str) -> Vec<Effect> {
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
        if pending.submission.phase == Phase::Blind {
            self.progress.today += 1;
            self.progress.total += 1;
            self.progress.open = (self.progress.open - 1).max(0);
            if self.is_current(pending.assignment) {
                effects.push(Effect::Reveal(pending.assignment));
            }
        }
        effects
    }

    fn send_failed(&mut self, key: &str, error: ApiError) -> Vec<Effect> {
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

    fn revealed(&mut self, id: AssignmentId, verdicts: Vec<Verdict>) -> Vec<Effect> {
        let Some(now) = self.current.as_mut().filter(|now| now.assignment.id == id) else { return vec![] };
        if now.stage != Stage::Sending {
            return vec![];
        }
        if verdicts.is_empty() {
            self.notice = Notice::NotJudged;
            return self.finish();
        }
        now.stage = Stage::Revealed { verdicts, before: now.answers.clone() };
        now.undo.clear();
        now.seconds = 0.0;
        vec![Effect::SaveDraft]
    }

    fn fetched(&mut self, assignments: Vec<Assignment>) -> Vec<Effect> {
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

    fn reopened(
        &mut self,
        assignment: Assignment,
        answers: &[Answer],
        verdicts: Vec<Verdict>,
    ) -> Vec<Effect> {
        let id = assignment.id;
        self.done.retain(|done| *done != id);
        self.queue.retain(|queued| queued.id != id);
        if let Some(now) = self.current.take().filter(|now| now.assignment.id != id) {
            if now.stage == Stage::Blind {
                self.queue.push_front(now.assignment);
            } else {
                self.done.push(now.assignment.id);
            }
        }
        let mut now = Current::new(assignment);
        now.answers = now.by_place(answers);
        now.stage = Stage::Revealed { verdicts, before: now.answers.clone() };
        self.current = Some(now);
        self.notice = Notice::Reopened;
        vec![Effect::LoadDraft(id)]
    }

    fn restore(&mut self, draft: &Draft) -> Vec<Effect> {
        let Some(now) = self.current.as_mut().filter(|now| now.assignment.id == draft.assignment) else {
            return vec![];
        };
        if now.revealed() == draft.revised && now.stage != Stage::Sending {
            now.answers = now.by_place(&draft.answers);
            now.comment.clone_from(&draft.comment);
            now.seconds = draft.seconds;
        }
        vec![]
    }

    /// Answers of an earlier visit that were never confirmed: they go out first.
    fn found_outbox(&mut self, found: Vec<Pending>) -> Vec<Effect> {
        if found.is_empty() {
            return vec![];
        }
        if let Some(now) = &mut self.current
            && let Some(pending) = found.iter().find(|pending| pending.assignment == now.assignment.id)
        {
            now.answers = now.by_place(&pending.submission.answers);
            now.stage = Stage::Sending;
        }
        self.queue.retain(|queued| found.iter().all(|pending| pending.assignment != queued.id));
        self.outbox = found;
        vec![Effect::Flush]
    }
}

#[cfg(test)]
mod tests;
