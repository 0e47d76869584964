//! Review: assignments, answers, reveals. Blind first.

use crate::{AssignmentId, LabelId, LinkedFail, Rubric, Sample, SampleId};
use serde::{Deserialize, Serialize};

/// A lease of one sample to one annotator. Says nothing of stream, half, judge or other people, but that a lead
/// wants some samples of the train half labelled with the verdicts in view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// What to judge.
    pub sample: Sample,
    /// By which criteria.
    pub rubric: Rubric,
    /// Until when the place is held.
    pub lease_expires_at: jiff::Timestamp,
    /// It is labelled with the verdicts in view: reveal first, then send the answers as `revised`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assisted: bool,
}

/// When an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Phase {
    /// Before the verdicts were shown.
    Blind,
    /// After.
    Revised,
}

impl Phase {
    /// The word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Revised => "revised",
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Answer {
    /// Criterion name.
    pub criterion: String,
    /// Label name of that criterion's label set.
    pub label: String,
}

/// All answers of a person on one sample, submitted at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Submission {
    /// Blind, or revised after the reveal.
    pub phase: Phase,
    /// One answer a criterion of the rubric.
    pub answers: Vec<Answer>,
    /// Free text.
    #[serde(default)]
    pub comment: Option<String>,
    /// Seconds the person spent, as the page measured them.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Numbers of cited history lines that do not support the sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<u32>,
}

/// The stored labels of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Submitted {
    /// Label ids, in rubric order.
    pub labels: Vec<LabelId>,
}

/// What a judge said on one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// Criterion name.
    pub criterion: String,
    /// Label name; `None` where the judge could not be read.
    pub label: Option<String>,
    /// Probability of pass; `None` where the judge gave none.
    pub p_pass: Option<f64>,
    /// The probability went through a calibration on people's labels.
    #[serde(default)]
    pub calibrated: bool,
    /// One line, written after the probability; `None` until it is written.
    pub rationale: Option<String>,
    /// Judge name with version.
    pub judge: String,
}

/// What the reveal shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reveal {
    /// One verdict a criterion and judge; empty if the sample was not judged yet.
    pub verdicts: Vec<Verdict>,
    /// Earlier links that people failed, as far as one has answered them oneself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<LinkedFail>,
}

/// A person's own day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MyProgress {
    /// Samples this person finished today (UTC).
    pub today: i64,
    /// In all.
    pub total: i64,
    /// Samples still open to this person.
    pub open: i64,
}

/// A sample this person has labelled, for going back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reviewed {
    /// The assignment.
    pub assignment: AssignmentId,
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Text.
    pub text: String,
}

/// A line of the label log, for leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelRecord {
    /// Place in the log; pass the last one as `after` to go on.
    pub seq: i64,
    /// Key of the sample.
    pub sample: String,
    /// Id of the sample.
    pub sample_id: SampleId,
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Who.
    pub rater: String,
    /// Label.
    pub label: String,
    /// Whether it passes.
    pub pass: bool,
    /// Blind or revised.
    pub phase: Phase,
    /// `audit`, `learning`, `gold`, or `repeat`: one's own answer asked for again.
    pub stream: String,
    /// Probability with which the sample was included in its stream.
    pub pi: f64,
    /// Rubric version.
    pub rubric: String,
    /// When.
    pub at: jiff::Timestamp,
}
