//! What the pipeline is made of beside its models: preset interests, φ.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An interest of the pool that mining may match (RecGPT §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresetInterest {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// `en` or `zh`.
    pub lang: String,
    /// The category path it was made from; empty where a person wrote it.
    pub category: Vec<String>,
    /// `catalogue` or `person`.
    pub origin: String,
    /// Whether it is offered and matched.
    pub active: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A preset to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPreset {
    /// 2 to 60 characters.
    pub name: String,
    /// `en` or `zh`.
    pub lang: String,
}

/// A change of a preset; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresetChange {
    /// Another name.
    pub name: Option<String>,
    /// `false` takes it out, `true` brings it back.
    pub active: Option<bool>,
}

/// φ as trained: what on, and how often it is right on titles held out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhiReport {
    /// The embedder whose vectors it reads.
    pub embedder: String,
    /// Categories it tells apart; 0 where the catalogue has none.
    pub categories: i64,
    /// Titled items of the catalogue then.
    pub items: i64,
    /// Titles it was trained on.
    pub trained_on: i64,
    /// Titles held out.
    pub held_out: i64,
    /// Of these, right.
    pub correct: i64,
    /// Of these, right among the five likeliest.
    pub correct_in_five: i64,
    /// Seed.
    pub seed: i64,
    /// When.
    pub created_at: Timestamp,
}

/// A line of the interest-item-explanation table, for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShownExplanation {
    /// The item's key.
    pub item: String,
    /// Its row id.
    #[serde(skip)]
    pub item_id: i64,
    /// The interest of the user's that it links to.
    pub interest: String,
    /// The tag that found the item.
    pub tag: String,
    /// `linked`, `quality` or `catalogue` (no line of a model kept the rules).
    pub kind: String,
    /// The line.
    pub text: String,
    /// `en` or `zh`.
    pub lang: String,
}

/// A generation as a batch: how far, how fast, how long still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Batch {
    /// The generation.
    pub generation: crate::Generation,
    /// `running`, `paused`, `done` or `stopped`.
    pub state: String,
    /// Higher first, 0 to 19.
    pub priority: i32,
    /// Jobs that wait.
    pub waiting: i64,
    /// Jobs that workers hold.
    pub running: i64,
    /// Jobs that are paused.
    pub paused: i64,
    /// Users an hour, over the quarter of an hour before its last user was done; `None` before any is done.
    pub per_hour: Option<f64>,
    /// Seconds left at that rate; `None` if unknown, paused or over.
    pub seconds_left: Option<i64>,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Steer {
    /// No more of its jobs are claimed; what runs is put back.
    Pause,
    /// Goes on.
    Resume,
    /// Stops it for good; what was written goes to the judge.
    Cancel,
    /// Another place in the queue, 0 to 19.
    Priority {
        /// Higher first.
        priority: i32,
    },
}

/// How far the interest-item-explanation table is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainRequest {
    /// Items a tag, 1 to 50: the nearest of its category.
    pub per_tag: u32,
    /// Lines to write at most.
    pub limit: u32,
    /// Seed of decoding.
    pub seed: u64,
}

impl Default for ExplainRequest {
    fn default() -> Self {
        Self { per_tag: 5, limit: 1000, seed: 1 }
    }
}

/// A run of the pipeline against the demo world's stored truth, beside generators that know nothing of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineEvaluation {
    /// The generation.
    pub generation: crate::GenerationId,
    /// The generator.
    pub model: String,
    /// Users of it that have a truth.
    pub users: u64,
    /// The rule that matches text with truth, on pairs labelled by hand.
    pub matching: Matching,
    /// `generator`, `shuffled users`, `top categories`, `top 30 categories`.
    pub systems: Vec<GeneratorScore>,
    /// Interests whose evidence is missing: they cite no line that exists.
    pub cites_nothing: crate::Estimate,
    /// Interests with any mark on their evidence.
    pub marked: crate::Estimate,
    /// Tags that a rule left out, of those written.
    pub tags_left_out: crate::Estimate,
    /// Tags that were an earlier one in other words, of those written: what personas are to lessen.
    pub duplicates: crate::Estimate,
    /// Lines that broke a rule, of those written.
    pub lines_left_out: crate::Estimate,
    /// 1 − mean ROUGE-L between a user's explanations, over users: what a style guideline is to raise.
    pub line_diversity: crate::Estimate,
}

/// How often the matching rule is right on pairs labelled by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matching {
    /// Pairs.
    pub pairs: u64,
    /// Of those it matches, truly the same.
    pub precision: crate::Estimate,
    /// Of those truly the same, matched.
    pub recall: crate::Estimate,
}

/// What a generator does on the users of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneratorScore {
    /// Its name.
    pub name: String,
    /// Share of latent interests that an interest of the user's says.
    pub recovered: crate::Estimate,
    /// Share of interests that say no latent interest of the user's.
    pub unsupported: crate::Estimate,
    /// Share of users for whom the category of the next item is among those of up to 30 tags.
    pub hr30: crate::Estimate,
    /// Interests a user.
    pub interests: f64,
    /// Tags a user, at most 30.
    pub tags: f64,
    /// Different categories of these tags a user.
    pub categories: f64,
}
