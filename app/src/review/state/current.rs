//! The sample in front of the person: answers, draft, and how far it is.

use super::super::draft::{Draft, Pending};
use concord_domain::{Answer, Assignment, LinkedFail, Phase, Submission, Verdict};

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
    /// An assisted sample whose verdicts are on their way: they come before the answers.
    Looking,
    /// Verdicts are shown, and the answers are still to be given.
    Assisted { verdicts: Vec<Verdict> },
    /// Verdicts are shown beside the answers that were given before.
    Revealed { verdicts: Vec<Verdict>, linked: Vec<LinkedFail>, before: Answers },
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
    /// Cited lines that do not support the sample.
    pub(crate) unsupported: Vec<u32>,
    pub(super) undo: Vec<Answers>,
}

impl Current {
    pub(super) fn new(assignment: Assignment) -> Self {
        let stage = if assignment.assisted { Stage::Looking } else { Stage::Blind };
        let answers = vec![None; assignment.rubric.criteria.len()];
        Self {
            assignment,
            answers,
            comment: String::new(),
            seconds: 0.0,
            stage,
            nudged: false,
            unsupported: Vec::new(),
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

    /// What the judges say, where it may be on the screen.
    pub(crate) fn verdicts(&self) -> &[Verdict] {
        match &self.stage {
            Stage::Assisted { verdicts } | Stage::Revealed { verdicts, .. } => verdicts,
            Stage::Blind | Stage::Sending | Stage::Looking => &[],
        }
    }

    /// Nothing is answered yet, so it can be given back.
    pub(crate) fn open(&self) -> bool {
        matches!(self.stage, Stage::Blind | Stage::Looking | Stage::Assisted { .. })
    }

    /// Marks a cited line as unsupported, or takes the mark back.
    pub(super) fn mark(&mut self, line: u32) -> bool {
        if self.stage == Stage::Sending || !self.assignment.sample.evidence.contains(&line) {
            return false;
        }
        match self.unsupported.iter().position(|marked| *marked == line) {
            Some(place) => drop(self.unsupported.remove(place)),
            None => self.unsupported.push(line),
        }
        true
    }

    pub(super) fn named(&self) -> Vec<Answer> {
        let criteria = self.assignment.rubric.criteria.iter();
        criteria
            .zip(&self.answers)
            .filter_map(|(criterion, label)| {
                Some(Answer { criterion: criterion.name.clone(), label: label.clone()? })
            })
            .collect()
    }

    pub(super) fn by_place(&self, named: &[Answer]) -> Answers {
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
            unsupported: self.unsupported.clone(),
        }
    }

    pub(super) fn answer(&mut self, criterion: usize, label: &str) -> bool {
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
    pub(super) fn label_of_side(&self, criterion: usize, pass: bool) -> Option<String> {
        let labels = &self.assignment.rubric.criteria.get(criterion)?.labels;
        let side: Vec<_> = labels.iter().filter(|label| label.pass == pass).collect();
        let present = self.answers[criterion].as_deref();
        let place = side.iter().position(|label| Some(label.name.as_str()) == present);
        side.get(place.map_or(0, |i| (i + 1) % side.len())).map(|label| label.name.clone())
    }

    pub(super) fn pending(&self, key: String, phase: Phase, answers: Vec<Answer>) -> Pending {
        let comment = self.comment.trim();
        let comment = (!comment.is_empty()).then(|| comment.to_owned());
        let unsupported = self.unsupported.clone();
        let submission = Submission { phase, answers, comment, seconds: Some(self.seconds), unsupported };
        let first = self.open();
        Pending { assignment: self.assignment.id, key, submission, first }
    }
}
