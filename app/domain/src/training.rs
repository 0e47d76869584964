//! Runs of training in this process, as people see them.

use crate::{ExportId, ModelRole};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A run of training, as far as its last checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrainingRun {
    /// Its id.
    pub id: Uuid,
    /// What the model is to be called.
    pub name: String,
    /// What the model is for.
    pub role: ModelRole,
    /// The task of a judge.
    pub task: Option<String>,
    /// The criterion of a judge that judges one.
    pub criterion: Option<String>,
    /// The model it starts from.
    pub base: String,
    /// SHA-256 of that model's weights.
    pub base_sha256: String,
    /// SHA-256 of what it learns from.
    pub data_sha256: String,
    /// The export that is, where it is one.
    pub export: Option<ExportId>,
    /// Rows it learns from.
    pub examples: i64,
    /// Rows that were too long.
    pub left_out: i64,
    /// How.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub settings: serde_json::Value,
    /// Folder of checkpoints, adapter and weights.
    pub folder: String,
    /// `running`, `stopped`, `done` or `failed`. What was killed is still called `running`.
    pub state: String,
    /// Why it failed.
    pub why: Option<String>,
    /// Steps in all.
    pub steps: i64,
    /// Mean loss of a learnt token, a step each.
    pub losses: Vec<f64>,
    /// Tokens a second since it was last started.
    pub tokens_per_second: Option<f64>,
    /// Seconds left at that speed.
    pub seconds_left: Option<f64>,
    /// How often it was begun or went on.
    pub starts: i32,
    /// Who began it.
    pub by: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub heard_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
