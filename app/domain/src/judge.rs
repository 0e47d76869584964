//! Judges as leads see them: what each is made of, how well its probabilities mean what they say, and how it holds
//! up when it is probed.

use crate::{Estimate, SampleId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The judge of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskJudge {
    /// Task.
    pub task: String,
    /// Current rubric version.
    pub rubric: String,
    /// The judge's name; `None` before it has judged anything.
    pub judge: Option<String>,
    /// Model, weights, backend and prompt.
    pub parts: Option<JudgeParts>,
    /// Sets of examples that each sample is judged with; 1 for none and one. The cost of a verdict grows with it.
    pub sets: u32,
    /// Samples of the task.
    pub samples: i64,
    /// Of them, judged by this judge.
    pub judged: i64,
    /// Milliseconds of a model a sample, over the last hundred.
    pub millis: Option<f64>,
    /// Families of the weights that wrote the samples, with counts.
    pub generators: Vec<(String, i64)>,
    /// The judge is of a generator's family: it may like what it would have written.
    pub shares_family: bool,
    /// A criterion each, in the rubric's order.
    pub criteria: Vec<CriterionJudge>,
    /// What it was before, newest first, the current one included.
    pub history: Vec<PastJudge>,
    /// How verdicts become a grade.
    pub senior: SeniorRule,
}

/// What a judge is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgeParts {
    /// Model.
    pub model: String,
    /// SHA-256 of its weights, or where it is.
    pub hash: String,
    /// Family of its weights.
    pub family: String,
    /// `candle` or `openai`.
    pub backend: String,
    /// Prompt version.
    pub prompt: String,
}

/// The judge on one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CriterionJudge {
    /// Criterion.
    pub criterion: String,
    /// Samples of the train half that people agree pass.
    pub labelled_pass: i64,
    /// Samples of the train half that people agree fail.
    pub labelled_fail: i64,
    /// Worked examples.
    pub examples: Vec<JudgeExample>,
    /// Calibration; `None`: its probabilities are the model's own.
    pub calibration: Option<JudgeCalibration>,
    /// Head; `None`: the verdict is the model's own answer.
    pub head: Option<crate::JudgeHead>,
    /// Of what people fail in the audit half, the share it passes, by the family of what wrote it.
    pub passes_of_human_fails: Vec<(String, Estimate)>,
}

/// A worked example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgeExample {
    /// Its set.
    pub set: i32,
    /// The sample.
    pub sample: SampleId,
    /// Its text.
    pub text: String,
    /// What people said.
    pub pass: bool,
}

/// A calibration with what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgeCalibration {
    /// `platt`, `temperature` or `isotonic`.
    pub method: String,
    /// What was fitted.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub parameters: serde_json::Value,
    /// Labels it was fitted on.
    pub n: i64,
    /// Of them, passes.
    pub n_pass: i64,
    /// Clusters they come from.
    pub n_clusters: i64,
    /// Measures before, on these labels.
    pub before: CalibrationMeasures,
    /// Measures after, each label by a fit that has not seen its cluster.
    pub after: CalibrationMeasures,
    /// When it was fitted.
    pub at: Timestamp,
}

/// How good probabilities are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalibrationMeasures {
    /// Expected calibration error.
    pub ece: Estimate,
    /// Brier score.
    pub brier: Estimate,
    /// Area under the ROC curve.
    pub auroc: Estimate,
}

/// A judge that a task has or had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PastJudge {
    /// Its name.
    pub judge: String,
    /// What had changed: `first`, `model`, `prompt`, `examples`, `calibration`, `criteria` or `head`.
    pub why: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it is the current one.
    pub to: Option<Timestamp>,
    /// Who changed it; `None`: the program itself.
    pub by: Option<String>,
}

/// Which examples to draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrawRequest {
    /// Passes, and as many fails, of a criterion in a set; 0 takes all examples away.
    pub per_side: u32,
    /// Sets: simulated annotators. Each multiplies the cost of a verdict.
    pub sets: u32,
    /// Seed.
    pub seed: u64,
}

impl Default for DrawRequest {
    fn default() -> Self {
        Self { per_side: 2, sets: 1, seed: 1 }
    }
}

/// How to calibrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalibrationRequest {
    /// `platt`, `temperature`, `isotonic`; or `none`, which takes the calibration away.
    pub method: String,
    /// One criterion; all of them where none is named.
    pub criterion: Option<String>,
}

impl Default for CalibrationRequest {
    fn default() -> Self {
        Self { method: "platt".into(), criterion: None }
    }
}

/// What came of a request to calibrate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Calibrated {
    /// The judge's name now.
    pub judge: String,
    /// Criteria that have a new calibration.
    pub criteria: Vec<String>,
    /// Criteria that have none, and why.
    pub refused: Vec<(String, String)>,
}

/// Which probes to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProbeRequest {
    /// Samples to plant and change, drawn by seed.
    pub samples: u32,
    /// Seed.
    pub seed: u64,
}

impl Default for ProbeRequest {
    fn default() -> Self {
        Self { samples: 40, seed: 1 }
    }
}

/// A run of probes with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProbeReport {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: String,
    /// The judge that was probed; `None` until it starts.
    pub judge: Option<String>,
    /// Samples asked for.
    pub samples: i32,
    /// Seed.
    pub seed: i64,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it ended; `None`: it waits or runs.
    pub finished_at: Option<Timestamp>,
    /// Planted negatives by kind and criterion: the share that the judge fails.
    pub negatives: Vec<Negative>,
    /// Changes that should change nothing, by kind and criterion.
    pub changes: Vec<Change>,
}

/// A kind of planted negative on a criterion that it must fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Negative {
    /// `other_user`, `wrong_season` or `invented_evidence`.
    pub kind: String,
    /// Criterion.
    pub criterion: String,
    /// Share failed.
    pub specificity: Estimate,
    /// Could not be read: outside the share.
    pub n_unparsed: u64,
}

/// A change that should change nothing, on a criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// `padding` or `order`.
    pub kind: String,
    /// Criterion.
    pub criterion: String,
    /// Share of verdicts that flip.
    pub flips: Estimate,
    /// Passed before, fails now.
    pub pass_to_fail: u64,
    /// Failed before, passes now.
    pub fail_to_pass: u64,
    /// McNemar's exact p that flips lean to no side; `None`: none flipped.
    pub p: Option<f64>,
    /// Mean change of the probability of pass.
    pub mean_shift: Option<f64>,
    /// Could not be read before or after: outside the share.
    pub n_unparsed: u64,
}

/// V2's senior reviewer: superior, average or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Grade {
    /// Superior.
    S,
    /// Average.
    A,
    /// Bad.
    B,
}

impl Grade {
    /// Its letter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// How a sample's verdicts become a grade: any failed criterion is B; of the others, S where at least `share` of the
/// criteria pass with a probability of at least `strong`, else A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeniorRule {
    /// Probability of pass from which on a criterion is a positive sign.
    pub strong: f64,
    /// Share of criteria that must be positive signs.
    pub share: f64,
}

impl Default for SeniorRule {
    fn default() -> Self {
        Self { strong: 0.8, share: 0.7 }
    }
}

impl SeniorRule {
    /// What makes this rule unusable, with the field.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`].
    pub fn check(&self) -> Result<(), crate::Error> {
        if !(0.5..=1.0).contains(&self.strong) {
            return Err(crate::Error::invalid("strong", "between 0.5 and 1"));
        }
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(crate::Error::invalid("share", "above 0, at most 1"));
        }
        Ok(())
    }

    /// The grade of one judge's verdicts on a sample, a criterion each: whether it passes and its probability. A
    /// failed criterion decides at once; otherwise `None` where a criterion has no readable verdict.
    #[must_use]
    pub fn grade(&self, verdicts: &[(Option<bool>, Option<f64>)]) -> Option<Grade> {
        if verdicts.iter().any(|(pass, _)| *pass == Some(false)) {
            return Some(Grade::B);
        }
        if verdicts.is_empty() || verdicts.iter().any(|(pass, _)| pass.is_none()) {
            return None;
        }
        let strong = verdicts.iter().filter(|(_, p)| p.is_some_and(|p| p >= self.strong)).count();
        #[expect(clippy::cast_precision_loss, reason = "a handful of criteria")]
        let enough = strong as f64 >= self.share * verdicts.len() as f64 - 1e-9;
        Some(if enough { Grade::S } else { Grade::A })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Option<bool> = Some(true);

    #[test]
    fn any_failed_criterion_is_bad_and_enough_positive_signs_are_superior() {
        let rule = SeniorRule::default();
        let grade = |verdicts: &[(Option<bool>, Option<f64>)]| rule.grade(verdicts);
        assert_eq!(grade(&[(PASS, Some(0.9)); 4]), Some(Grade::S));
        assert_eq!(
            grade(&[(PASS, Some(0.9)), (PASS, Some(0.85)), (PASS, Some(0.8)), (PASS, Some(0.6))]),
            Some(Grade::S)
        );
        assert_eq!(
            grade(&[(PASS, Some(0.9)), (PASS, Some(0.85)), (PASS, Some(0.7)), (PASS, Some(0.6))]),
            Some(Grade::A)
        );
        assert_eq!(grade(&[(PASS, Some(0.99)), (Some(false), Some(0.49))]), Some(Grade::B));
        assert_eq!(
            grade(&[(PASS, None), (PASS, None)]),
            Some(Grade::A),
            "a pass without a probability is no sign"
        );
    }

    #[test]
    fn what_could_not_be_read_has_no_grade_unless_another_criterion_failed() {
        let rule = SeniorRule::default();
        assert_eq!(rule.grade(&[]), None);
        assert_eq!(rule.grade(&[(PASS, Some(0.9)), (None, None)]), None);
        assert_eq!(rule.grade(&[(Some(false), Some(0.1)), (None, None)]), Some(Grade::B));
    }

    #[test]
    fn a_better_verdict_never_gives_a_worse_grade() {
        let rule = SeniorRule::default();
        let at = |p: f64| (Some(p >= 0.5), Some(p));
        let grid: Vec<f64> = (0..=20).map(|k| f64::from(k) / 20.0).collect();
        for a in &grid {
            for b in &grid {
                let grades = grid.iter().map(|c| rule.grade(&[at(*a), at(*b), at(*c)]).expect("a grade"));
                assert!(grades.collect::<Vec<_>>().is_sorted_by(|worse, better| worse >= better));
            }
        }
    }
}
