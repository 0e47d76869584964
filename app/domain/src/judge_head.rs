//! Heads of judges: small classifiers that people's labels teach to read what frozen models say.

use crate::{CalibrationMeasures, Error, Estimate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How to train a judge's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadRequest {
    /// Penalty of the squared weights.
    pub ridge: f64,
    /// Labels of the more frequent side for each of the rarer side.
    pub ratio: f64,
    /// Days after which a label of the more frequent side is half as likely to be kept.
    pub half_life_days: f64,
    /// Read also how near the text is to what it rests on, by the embedder.
    pub similarities: bool,
    /// κ on the audit half may fall by so much.
    pub kappa_margin: f64,
    /// Seed of draws, folds and intervals.
    pub seed: u64,
}

impl Default for HeadRequest {
    fn default() -> Self {
        Self { ridge: 1.0, ratio: 1.5, half_life_days: 30.0, similarities: true, kappa_margin: 0.05, seed: 1 }
    }
}

impl HeadRequest {
    /// Whether its numbers can be used.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let bounds = [
            ("ridge", self.ridge, 1e-6, 1e6),
            ("ratio", self.ratio, 0.5, 100.0),
            ("half_life_days", self.half_life_days, 0.1, 36_500.0),
            ("kappa_margin", self.kappa_margin, 0.0, 1.0),
        ];
        for (field, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                return Err(Error::invalid(field, format!("between {low} and {high}")));
            }
        }
        // Stored as JSON, which others read with 53 bits.
        if self.seed >= 1 << 53 {
            return Err(Error::invalid("seed", "below 2^53"));
        }
        Ok(())
    }
}

/// A head that a judge has on a criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgeHead {
    /// Features, each with its weight a standard deviation.
    pub weights: Vec<(String, f64)>,
    /// Labels of the train half.
    pub n: i64,
    /// Of them, passes.
    pub n_pass: i64,
    /// Clusters they come from.
    pub n_clusters: i64,
    /// Labels that rebalancing kept.
    pub kept: i64,
    /// Share of passes among those.
    pub trained_share: f64,
    /// Share of passes before, to which its probabilities are moved back.
    pub true_share: f64,
    /// Measures of the model's own probabilities on these labels.
    pub before: CalibrationMeasures,
    /// Measures of the head, each label by a head that has not seen its cluster.
    pub after: CalibrationMeasures,
    /// When it was trained.
    pub at: Timestamp,
}

/// A run that trains heads and asks the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadRun {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: String,
    /// How.
    pub request: HeadRequest,
    /// `queued`, `promoted`, `refused` or `failed`.
    pub state: String,
    /// The judge that stood.
    pub before_judge: Option<String>,
    /// The judge with the new heads; its verdicts are stored whether or not it was promoted.
    pub judge: Option<String>,
    /// What came of it.
    pub outcome: Option<HeadOutcome>,
    /// Who asked.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadOutcome {
    /// Criteria that have a new head.
    pub trained: Vec<String>,
    /// Criteria that have none, and why.
    pub untrained: Vec<(String, String)>,
    /// Why the judge was not promoted; empty where it was.
    pub refused: Vec<String>,
    /// Both judges on the audit half: all decisions together (`*`), then by criterion.
    pub compared: Vec<JudgesCompared>,
}

/// Two judges on the same decisions of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgesCompared {
    /// Criterion; `*`: all of them.
    pub criterion: String,
    /// Decisions.
    pub n: u64,
    /// Of what people fail, the share the old judge fails; the new one; new less old.
    pub specificity: [Estimate; 3],
    /// κ with people: the old judge's, the new one's, new less old.
    pub kappa: [Estimate; 3],
    /// Decisions only the old judge has right, and only the new one.
    pub only_right: (u64, u64),
    /// McNemar's exact p of those two.
    pub p: Option<f64>,
}
