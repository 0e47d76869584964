//! How the review is run: overlap and leases, streams, gold questions, repeats, a third person.

use crate::{AccountId, AssignmentId, Estimate, SampleId};
use serde::{Deserialize, Serialize};

/// How the review of a task is run. Whoever names only the first three gets the rest as it is by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Programme {
    /// People a sample.
    pub overlap: i32,
    /// Seconds a lease lasts.
    pub lease_seconds: i32,
    /// Share of leases that are gold questions, 0..0.5.
    pub gold_rate: f64,
    /// Share of draws that go to the audit half while both halves have open samples, 0..1. A draw gives a user,
    /// whose samples then come together.
    #[serde(default = "audit_share")]
    pub audit_share: f64,
    /// Share of leases that repeat a sample of one's own, 0..0.2.
    #[serde(default = "repeat_rate")]
    pub repeat_rate: f64,
    /// Days between an answer and its repeat, 7..365.
    #[serde(default = "repeat_after_days")]
    pub repeat_after_days: i32,
    /// When one more person is asked.
    #[serde(default)]
    pub third: Third,
    /// Whether some learning samples are labelled with the verdicts in view.
    #[serde(default)]
    pub assisted: bool,
    /// Which share of them, above 0 and up to 0.5.
    #[serde(default = "assisted_rate")]
    pub assisted_rate: f64,
}

fn audit_share() -> f64 {
    0.3
}

fn repeat_rate() -> f64 {
    0.02
}

fn repeat_after_days() -> i32 {
    7
}

fn assisted_rate() -> f64 {
    0.05
}

impl Default for Programme {
    fn default() -> Self {
        Self {
            overlap: 1,
            lease_seconds: 1800,
            gold_rate: 0.0,
            audit_share: audit_share(),
            repeat_rate: repeat_rate(),
            repeat_after_days: repeat_after_days(),
            third: Third::default(),
            assisted: false,
            assisted_rate: assisted_rate(),
        }
    }
}

/// When one more person is asked, once everybody has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Third {
    /// Never: what people disagree on is left to a lead.
    #[default]
    Never,
    /// Where as many pass a criterion as fail it.
    Tie,
    /// Where any two people disagree on a criterion.
    Any,
}

impl Third {
    /// The word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Tie => "tie",
            Self::Any => "any",
        }
    }
}

/// A right answer to a gold question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldAnswer {
    /// Criterion name.
    pub criterion: String,
    /// The right label; what counts is whether it passes.
    pub label: String,
    /// Why it is right.
    pub reason: String,
}

/// A sample whose right answers a lead has set. It is served to people like any other, and what they say to it
/// is counted nowhere but in their own record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldQuestion {
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Text.
    pub text: String,
    /// Whether it is still served.
    pub active: bool,
    /// Whether it waits: an audit sample is served as gold only when its own answers are in, so that the choice
    /// of gold takes nothing from the audit.
    pub waiting: bool,
    /// The right answers.
    pub answers: Vec<GoldAnswer>,
    /// Answers that people have given to it, by criterion, and how many of them are right.
    pub n: i64,
    /// Right ones among them.
    pub correct: i64,
    /// When it was set.
    pub created_at: jiff::Timestamp,
}

/// How a person does on gold questions and on repeats of their own samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RaterRecord {
    /// Who.
    pub account: AccountId,
    /// E-mail address.
    pub email: String,
    /// Share of right answers to gold questions; an answer is one criterion of one question.
    pub gold: Estimate,
    /// P(this many right or fewer) of somebody who is right with probability 0.85; null before five answers.
    pub gold_p: Option<f64>,
    /// That probability is below 0.01: somebody should talk to this person.
    pub flagged: bool,
    /// Share of repeated answers that are the same as before.
    pub consistency: Estimate,
}

/// Right answers for a sample: who asks for them by an adjudication sends none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldRequest {
    /// One answer a criterion of the sample's rubric; without any, those of the last adjudications are taken.
    #[serde(default)]
    pub answers: Vec<GoldAnswer>,
}

/// How an escalation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EscalationEnd {
    /// The guideline was changed: a rubric version answers it.
    Guideline,
    /// It is not changed, and the note says why.
    Wont,
}

impl EscalationEnd {
    /// The word in the database and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guideline => "guideline",
            Self::Wont => "wont",
        }
    }
}

/// What a lead decides of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EscalationOutcome {
    /// How it ends.
    pub outcome: EscalationEnd,
    /// What to do in such cases, or why nothing changes.
    pub note: String,
    /// The rubric version that answers it; needed for `guideline`.
    #[serde(default)]
    pub rubric: Option<String>,
}

/// A sample that somebody could not decide by the guideline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Escalation {
    /// Its id.
    pub id: uuid::Uuid,
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Text.
    pub text: String,
    /// Who asks.
    pub by: String,
    /// What they cannot decide.
    pub reason: String,
    /// When.
    pub at: jiff::Timestamp,
    /// `guideline` or `wont`; null while it is open.
    pub outcome: Option<String>,
    /// The lead's note.
    pub note: Option<String>,
    /// The rubric version that answers it.
    pub rubric: Option<String>,
    /// The lead.
    pub resolved_by: Option<String>,
    /// When it ended.
    pub resolved_at: Option<jiff::Timestamp>,
}

/// An earlier link of a sample that people failed: the sample rests on something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkedFail {
    /// The earlier sample.
    pub sample: SampleId,
    /// Its task.
    pub task: String,
    /// Its text.
    pub text: String,
    /// The criterion it failed, by adjudication or majority.
    pub criterion: String,
    /// People who pass it.
    pub passes: i64,
    /// People who fail it.
    pub fails: i64,
}

impl LinkedFail {
    /// In one line: text, criterion, and how many of how many people fail it.
    #[must_use]
    pub fn words(&self) -> String {
        let criterion = self.criterion.replace('_', " ");
        format!("“{}”: {criterion} {}/{}", self.text, self.fails, self.fails + self.passes)
    }
}

/// A cited line that people marked as unsupported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnsupportedLine {
    /// Number of the history line.
    pub line: u32,
    /// People who marked it in their last answer.
    pub people: i64,
}

/// A day of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayPace {
    /// The day (UTC).
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "date"))]
    pub day: jiff::civil::Date,
    /// Samples answered.
    pub samples: i64,
    /// Those among them with seconds.
    pub timed: i64,
    /// Median of the seconds; null where none were measured.
    pub median_seconds: Option<f64>,
}

/// A sample of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnSample {
    /// The assignment.
    pub assignment: AssignmentId,
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Text.
    pub text: String,
    /// When it was answered.
    pub at: jiff::Timestamp,
    /// Seconds spent.
    pub seconds: Option<f64>,
    /// The answer came after others had filled every place: it is kept, and counted nowhere.
    pub surplus: bool,
}

/// One's own work. Nothing here says how one agrees with judges or other people; what is known of gold questions
/// and repeats stands as of yesterday, so that no single answer tells what it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnWork {
    /// Days with work, newest first.
    pub days: Vec<DayPace>,
    /// Share of right answers to gold questions until yesterday.
    pub gold: Estimate,
    /// Share of repeated answers that are the same as before, until yesterday.
    pub consistency: Estimate,
    /// The last samples, newest first.
    pub recent: Vec<OwnSample>,
}

/// What seeing a judge's verdict does to people. A decision is one answer of one person on one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Anchoring {
    /// Task.
    pub task: String,
    /// Judge.
    pub judge: String,
    /// P(revised = judge | blind ≠ judge): how often people give in.
    pub towards: Estimate,
    /// P(revised ≠ judge | blind = judge): how often they turn away.
    pub away: Estimate,
    /// P(agrees with the judge) where the verdict was seen first.
    pub assisted: Estimate,
    /// The same where it was not, among the samples that could have been assisted.
    pub blind: Estimate,
    /// Assisted − blind: what the sight of a verdict adds to agreement.
    pub difference: Estimate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_three_settings_still_works() {
        let old: Programme = serde_json::from_str(r#"{"overlap":2,"lease_seconds":600,"gold_rate":0.1}"#)
            .expect("the settings of before");
        let rest = Programme { overlap: 2, lease_seconds: 600, gold_rate: 0.1, ..Programme::default() };
        assert_eq!(old, rest);
        assert!(
            serde_json::from_str::<Programme>(
                r#"{"overlap":2,"lease_seconds":600,"gold_rate":0.1,"thrid":"any"}"#
            )
            .is_err()
        );
    }
}
