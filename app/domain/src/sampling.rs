//! What people look at: audit sampling by verdict, the floor under certificates, and the plan of an investigation.

use crate::Estimate;
use serde::{Deserialize, Serialize};

/// How the audit of a task is drawn: with which probability people look at a judged sample of the audit half. It
/// holds for samples opened from then on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditSampling {
    /// Where the judge passes the whole sample, above 0 and at most 1.
    pub rate_pass: f64,
    /// Where it fails a criterion, above 0 and at most 1.
    pub rate_fail: f64,
    /// Of what certificates accept, 0.02 to 1.
    pub floor: f64,
}

/// What a number of labels should be spent on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditAllocation {
    /// Labelled samples asked for.
    pub budget: u64,
    /// A line a verdict.
    pub strata: Vec<AllocatedStratum>,
    /// The rates that give these labels.
    pub sampling: AuditSampling,
}

/// A verdict class of an allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AllocatedStratum {
    /// `pass` or `fail`, of the whole sample by its last judge.
    pub verdict: String,
    /// Samples of the audit half.
    pub size: u64,
    /// How many of those that people labelled they pass.
    pub pass_rate: Estimate,
    /// Spread it was weighed with: √(p(1−p)), at least .1; .5 where nothing is labelled.
    pub spread: f64,
    /// Labels.
    pub labels: u64,
    /// Labels a sample.
    pub rate: f64,
}

/// Whether a replay of the label log comes to what a monitor has stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replay {
    /// The monitor.
    pub monitor: uuid::Uuid,
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// `pass` or `fail`.
    pub verdict: String,
    /// Labels replayed.
    pub n: u64,
    /// The statistic after them.
    pub statistic: f64,
    /// SHA-256 of them.
    pub prefix_hash: String,
    /// The label that rings the alarm.
    pub alarm_n: Option<u64>,
    /// Everything is as stored: statistic, chart, alarm and hash.
    pub same: bool,
}
