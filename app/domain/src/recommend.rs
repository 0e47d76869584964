//! Recommendations for a user, with all that they rest on.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is asked of recommendations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct RecommendRequest {
    /// Items at most, 1 to 100; 20 if not said.
    pub k: Option<u32>,
}

/// Recommendations for a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recommendations {
    /// The importer's key of the user.
    pub user: String,
    /// The model that found the items.
    pub model: Uuid,
    /// How its towers were asked.
    pub asked: Asked,
    /// The user's interests, as their newest generation has them.
    pub interests: Vec<RecommendLink>,
    /// The tags that were asked for.
    pub tags: Vec<RecommendTag>,
    /// The items, best first.
    pub items: Vec<Recommendation>,
}

/// How a model was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Asked {
    /// β: weight of what the user did; 1 − β is that of the tags.
    pub beta: f32,
    /// `mean`: one query of all tags; `max`: a query a tag.
    pub scheme: String,
    /// The tags are `written` by a model, or `titles` of the latest items; `none`: asked without.
    pub tags_from: String,
    /// Whether the user's own vector was asked: not for one who came after the training.
    pub user_known: bool,
}

/// A sample that something rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecommendLink {
    /// The sample.
    pub sample: Uuid,
    /// Its text.
    pub text: String,
    /// Its language.
    pub lang: String,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecommendTag {
    /// Its text.
    pub text: String,
    /// The sample, if a model wrote it.
    pub sample: Option<Uuid>,
    /// The interest it serves.
    pub interest: Option<String>,
    /// Whether the tag tower knows a word of it; one it does not know is not asked.
    pub known: bool,
}

/// A recommended item, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recommendation {
    /// The importer's key of the item.
    pub item: String,
    /// Its title.
    pub title: String,
    /// Its categories, the widest first.
    pub category: Vec<String>,
    /// y_col = h_u·h_v; `None` for a user without a vector.
    pub col: Option<f32>,
    /// y_sem = h_t·h_v as the score used it, of the mean of the tags or of the best one; `None` without tags.
    pub sem: Option<f32>,
    /// What it was ranked by.
    pub score: f32,
    /// Number of the tag that fits best in `tags`, from 0.
    pub tag: Option<u32>,
    /// A stored explanation for this user, else for one of their interests.
    pub explanation: Option<RecommendExplanation>,
}

/// A stored explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecommendExplanation {
    /// The line.
    pub text: String,
    /// Its language.
    pub lang: String,
    /// The sample, where it was written for this user; else it comes from the table of explanations.
    pub sample: Option<Uuid>,
    /// The interest that the table has it for.
    pub interest: Option<String>,
}
