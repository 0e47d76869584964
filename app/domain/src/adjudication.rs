//! What leads decide where people disagree, or people and judge do: cases, and adjudications with a reason.

use crate::{Criterion, Phase, Sample, SampleId, Verdict};
use serde::{Deserialize, Serialize};

/// What a lead found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// It passes.
    Pass,
    /// It fails.
    Fail,
    /// The criterion cannot tell: kept as such, and left out of every estimate.
    Ambiguous,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Ambiguous];

    /// The word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// Why people disagreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reason {
    /// The guideline does not say: mend the rubric.
    GuidelineGap,
    /// Somebody slipped.
    Slip,
    /// People may rightly differ.
    Ambiguous,
    /// Something else, as the note says.
    Other,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::GuidelineGap, Self::Slip, Self::Ambiguous, Self::Other];

    /// The word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GuidelineGap => "guideline_gap",
            Self::Slip => "slip",
            Self::Ambiguous => "ambiguous",
            Self::Other => "other",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// The most decisions of one request; all of them are stored, or none.
pub const MAX_ADJUDICATIONS: usize = 500;

/// A decision to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAdjudication {
    /// On which sample.
    pub sample: SampleId,
    /// On which criterion.
    pub criterion: String,
    /// What was found.
    pub outcome: Outcome,
    /// Which of the criterion's labels; without it the first one of that outcome. None where ambiguous.
    #[serde(default)]
    pub label: Option<String>,
    /// Why people disagreed.
    pub reason: Reason,
    /// In words.
    #[serde(default)]
    pub note: Option<String>,
}

/// A stored decision. They are only added to; the last one on a sample and criterion holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Adjudication {
    /// Its id.
    pub id: uuid::Uuid,
    /// On which sample.
    pub sample: SampleId,
    /// On which criterion.
    pub criterion: String,
    /// What was found.
    pub outcome: Outcome,
    /// Which label; none where ambiguous.
    pub label: Option<String>,
    /// Why people disagreed.
    pub reason: Reason,
    /// In words.
    pub note: Option<String>,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// The states that cases are filtered by.
pub const CASE_STATES: [&str; 9] = [
    "open",
    "escalated",
    "tied",
    "disagreeing",
    "judge_fail_people_pass",
    "judge_pass_people_fail",
    "adjudicated",
    "ambiguous",
    "any",
];

/// The orders of a list of cases.
pub const CASE_ORDERS: [&str; 3] = ["need", "confidence", "newest"];

/// Which cases, in which order; what is `None` does not filter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct CaseFilter {
    /// `open` (the default: escalated, people disagree, or a judge differs, and nobody has decided), `escalated`,
    /// `tied`, `disagreeing`, `judge_fail_people_pass`, `judge_pass_people_fail`, `adjudicated`, `ambiguous`, `any`.
    pub state: Option<String>,
    /// Task.
    pub task: Option<String>,
    /// Criterion.
    pub criterion: Option<String>,
    /// Whose verdicts to compare with; without it the surest that differs.
    pub judge: Option<String>,
    /// First category of the item.
    pub category: Option<String>,
    /// Language.
    pub lang: Option<String>,
    /// What made the sample: model and prompts, or what an import named.
    pub generator: Option<String>,
    /// Labelled by this person.
    pub annotator: Option<String>,
    /// `audit` or `train`.
    pub half: Option<String>,
    /// `need` (the default: escalated, tied, disagreeing, then judges that differ, surest first), `confidence`, or
    /// `newest`.
    pub sort: Option<String>,
    /// Rows after this place, as the page before said.
    pub after: Option<String>,
}

/// A sample and criterion, as people and a judge answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// Sample.
    pub sample: SampleId,
    /// Its key.
    pub key: String,
    /// Its task.
    pub task: String,
    /// Its text.
    pub text: String,
    /// Its language.
    pub lang: String,
    /// `audit` or `train`.
    pub half: String,
    /// Criterion.
    pub criterion: String,
    /// People who passed it, and who did not.
    pub votes: (u32, u32),
    /// The reference; `None` where tied or ambiguous.
    pub people: Option<bool>,
    /// A lead's decision.
    pub adjudicated: Option<Outcome>,
    /// Whose verdict is shown.
    pub judge: Option<String>,
    /// That verdict.
    pub verdict: Option<bool>,
    /// Its probability of pass.
    pub p_pass: Option<f64>,
    /// `escalated`, `tied`, `disagreeing`, `judge_fail_people_pass`, `judge_pass_people_fail`, `adjudicated`,
    /// `ambiguous`, or `agreed`.
    pub state: String,
    /// Who reads has labelled this sample, so may not decide.
    pub own: bool,
}

/// A page of cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CasePage {
    /// Rows in the order asked for.
    pub rows: Vec<Case>,
    /// All that match.
    pub total: u64,
    /// Pass as `after` for the next page.
    pub next: Option<String>,
}

/// Rows of a page of cases.
pub const CASES_A_PAGE: u32 = 50;

/// What somebody answered on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseVote {
    /// Who.
    pub rater: String,
    /// Label.
    pub label: String,
    /// Whether it passes.
    pub pass: bool,
    /// Blind or revised.
    pub phase: Phase,
    /// `audit`, `learning` or `gold`.
    pub stream: String,
    /// What they wrote beside it.
    pub comment: Option<String>,
    /// When.
    pub at: jiff::Timestamp,
}

/// All there is to decide a case by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseDetail {
    /// The sample with what it rests on.
    pub sample: Sample,
    /// The criterion, in the rubric version of the sample.
    pub criterion: Criterion,
    /// That version.
    pub rubric: String,
    /// Answers, oldest first.
    pub votes: Vec<CaseVote>,
    /// What judges said.
    pub verdicts: Vec<Verdict>,
    /// Earlier decisions, newest first.
    pub adjudications: Vec<Adjudication>,
    /// Who reads has labelled this sample, so may not decide.
    pub own: bool,
}
