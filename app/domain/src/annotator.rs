//! What leads see of the people who label. Never shown to annotators.

use crate::Estimate;
use serde::{Deserialize, Serialize};

/// One person's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnnotatorReport {
    /// E-mail address, or the name an import gave.
    pub rater: String,
    /// Blind answers, one a criterion.
    pub labels: u64,
    /// Samples answered blind.
    pub samples: u64,
    /// How often they are right by what others answered on the same samples: Dawid and Skene's model where samples
    /// have three people on average, else the same with one skill a person. All criteria pooled.
    pub skill: Estimate,
    /// The same by task and criterion.
    pub skill_by: Vec<CriterionSkill>,
    /// Share of right answers to gold questions.
    pub gold: Estimate,
    /// P(this many right or fewer) of somebody who is right with probability 0.85; null before five answers.
    pub gold_p: Option<f64>,
    /// That probability is below 0.01: somebody should talk to this person.
    pub flagged: bool,
    /// Share of repeated answers that are the same as before.
    pub consistency: Estimate,
    /// Median seconds a sample, before the reveal.
    pub seconds: Estimate,
    /// Share of samples that took less than a third of that median.
    pub hasty: Estimate,
    /// Of the answers on which judges differed from this person, the share that took the judges' side after the
    /// reveal.
    pub over_reliance: Estimate,
}

/// Skill on one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CriterionSkill {
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Skill.
    pub skill: Estimate,
}
