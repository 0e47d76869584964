//! Models trained here, and which of them serves.

use crate::{Error, Estimate, ExportId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a trained model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ModelRole {
    /// Writes samples.
    Generator,
    /// Judges those of one task.
    Judge,
}

impl ModelRole {
    /// The word stored in the database and shown in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Judge => "judge",
        }
    }
}

impl std::str::FromStr for ModelRole {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = [Self::Generator, Self::Judge].into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| Error::invalid("role", "generator or judge"))
    }
}

/// A place that a trained model may take: the generator's, or the judge's of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelPlace {
    /// Generator or judge.
    pub role: ModelRole,
    /// The task of a judge; null for the generator.
    #[serde(default)]
    pub task: Option<String>,
}

impl ModelPlace {
    /// The generator's.
    #[must_use]
    pub fn generator() -> Self {
        Self { role: ModelRole::Generator, task: None }
    }

    /// The judge's of a task.
    #[must_use]
    pub fn judge(task: &str) -> Self {
        Self { role: ModelRole::Judge, task: Some(task.to_owned()) }
    }

    /// Refuses a judge without a task and a generator with one.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        match (self.role, &self.task) {
            (ModelRole::Generator, None) | (ModelRole::Judge, Some(_)) => Ok(()),
            (ModelRole::Generator, Some(_)) => Err(Error::invalid("task", "none: a generator has no task")),
            (ModelRole::Judge, None) => Err(Error::invalid("task", "the task that this judge judges")),
        }
    }
}

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrainedModel {
    /// Its id.
    pub id: Uuid,
    /// The place it may take.
    #[serde(flatten)]
    pub place: ModelPlace,
    /// Its name: what generations, or verdicts, call it.
    pub name: String,
    /// Catalogue name of the model it was trained from.
    pub base: String,
    /// SHA-256 of that model's weights.
    pub base_sha256: String,
    /// The model it goes on from, where that is not the base.
    pub parent: Option<Uuid>,
    /// The export it learnt from; null: files that nobody of these logs is in, which the settings name.
    pub export: Option<ExportId>,
    /// Folder of adapter and weights.
    pub dir: Option<String>,
    /// A model that is a few numbers: those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// SHA-256 of its weights (`model.gguf`), or of the body's JSON.
    pub sha256: String,
    /// Their size.
    pub bytes: i64,
    /// How it was trained.
    pub settings: serde_json::Value,
    /// Mean loss of a learnt token, a step each.
    pub losses: Vec<f64>,
    /// When.
    pub created_at: Timestamp,
    /// Whether it serves now.
    pub standing: bool,
}

/// A decision on which model stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Promotion {
    /// Its id.
    pub id: Uuid,
    /// The place it is about.
    #[serde(flatten)]
    pub place: ModelPlace,
    /// `promote`, `refuse` or `rollback`.
    pub kind: String,
    /// The model it is about; of a rollback the one that stands again. Null: the model of the settings.
    pub model: Option<Uuid>,
    /// What stood before; null: the model of the settings.
    pub replaced: Option<Uuid>,
    /// What the gate compared, and why it refused.
    pub decision: GateDecision,
    /// Who; null: nobody in particular.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What to compare before a model is promoted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateRequest {
    /// Of a generator: the generation of what stands. A judge is compared with the task's current one.
    pub old: Option<crate::GenerationId>,
    /// Of a generator: its own generation for the same users.
    pub new: Option<crate::GenerationId>,
    /// A criterion's corrected pass rate may fall by so much.
    pub criterion_margin: f64,
    /// A measure of diversity may fall by so much.
    pub diversity_margin: f64,
    /// A judge's κ may fall by so much.
    pub kappa_margin: f64,
}

impl Default for GateRequest {
    fn default() -> Self {
        Self { old: None, new: None, criterion_margin: 0.05, diversity_margin: 0.05, kappa_margin: 0.05 }
    }
}

/// What the gate found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateDecision {
    /// Whether the new model may take the place.
    pub promote: bool,
    /// Why not, in words.
    pub refused: Vec<String>,
    /// What was compared.
    pub compared: Vec<GateMeasure>,
}

/// A measure of both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateMeasure {
    /// What is measured.
    pub name: String,
    /// Of what stands.
    pub old: Option<f64>,
    /// Of the new model.
    pub new: Option<f64>,
    /// New less old; n is the number of users.
    pub gain: Estimate,
}
