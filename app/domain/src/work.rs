//! Slow work as people see it: jobs, generations and the counts of the home page.

use crate::{GenerationId, JobId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Finished.
    Done,
    /// Gave up after its last attempt.
    Failed,
    /// Stopped by a person.
    Cancelled,
    /// Waits until a person lets it go on.
    Paused,
}

/// A job as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// `generate`, `judge`, `rejudge`, `probe`, `rationale`, `export`, `recalibrate`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// Steps done.
    pub done: i64,
    /// Steps in all; 0 if unknown.
    pub total: i64,
    /// What it is doing, or why it failed and what to do.
    pub message: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Tokens of compressed behaviour that are read of a user where nothing else is asked for.
pub const HISTORY_TOKENS: u32 = 1200;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GenerationRequest {
    /// How many users, drawn by seed among those with enough reliable behaviour.
    pub users: u32,
    /// These users instead of a draw (importer's keys).
    pub user_keys: Vec<String>,
    /// At most so many interests a user.
    pub interests: u32,
    /// At most so many tags a user.
    pub tags: u32,
    /// At most so many explanations a user.
    pub explanations: u32,
    /// Tokens of a user's compressed behaviour that the generator and the judge read, at most.
    pub history_tokens: u32,
    /// Seed of the draw and of decoding.
    pub seed: u64,
    /// Keeps the last day of each user's behaviour away, so that it can be predicted.
    pub hold_out: bool,
    /// Place in the queue, 0 to 19, higher first.
    pub priority: i32,
    /// RecGPT-V2: a planner writes so many personas, each predicts tags, an arbiter chooses; 0 is off.
    pub personas: u32,
    /// RecGPT-V2: a style guideline before the explanations.
    pub style: bool,
    /// RecGPT-V2: so many outputs of tags, of which constrained selection takes one; 1 is off.
    pub candidates: u32,
    /// A model of the registry by its name, instead of the one that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Default for GenerationRequest {
    fn default() -> Self {
        Self {
            users: 5,
            user_keys: Vec::new(),
            interests: 5,
            tags: 10,
            explanations: 5,
            history_tokens: HISTORY_TOKENS,
            seed: 1,
            hold_out: false,
            priority: 10,
            personas: 0,
            style: false,
            candidates: 1,
            model: None,
        }
    }
}

/// A generation as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// Model name.
    pub model: String,
    /// SHA-256 of the weights.
    pub model_hash: String,
    /// Versions of the prompts.
    pub prompts: String,
    /// Seed.
    pub seed: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Users it runs over.
    pub users: i64,
    /// Users finished.
    pub users_done: i64,
    /// Samples written, by task, in [`crate::TASKS`] order.
    pub samples: Vec<(String, i64)>,
    /// Samples judged.
    pub judged: i64,
    /// Seconds left at the rate so far; `None` if unknown or finished.
    pub seconds_left: Option<i64>,
    /// Users whose work failed, and the last reason.
    pub failed: i64,
    /// Last error.
    pub error: Option<String>,
}

/// A proportion with its count and 95 % interval (Wilson).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proportion {
    /// Successes.
    pub k: i64,
    /// Trials.
    pub n: i64,
    /// Lower and upper end; `None` when n = 0: not estimable.
    pub ci: Option<(f64, f64)>,
}

/// The home page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// One's own day.
    pub mine: crate::MyProgress,
    /// What only leads see.
    pub lead: Option<LeadOverview>,
}

/// The home page's counts for leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeadOverview {
    /// Users, items, behaviours in the logs.
    pub users: i64,
    /// Items.
    pub items: i64,
    /// Behaviours (an estimate beyond a million).
    pub behaviours: i64,
    /// One line a task.
    pub tasks: Vec<TaskCounts>,
    /// The newest generation.
    pub generation: Option<Generation>,
    /// Jobs queued, running and failed.
    pub jobs: Vec<Job>,
    /// What is missing for generation and judging, in words; `None` when all is there.
    pub model_trouble: Option<String>,
}

/// Counts of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskCounts {
    /// Task.
    pub task: String,
    /// Samples.
    pub samples: i64,
    /// Judged.
    pub judged: i64,
    /// With all their labels in.
    pub labelled: i64,
    /// Criterion decisions on which the judge and the people's blind majority agree (audit half).
    pub agreement: Proportion,
}
