//! Rubrics: versioned criteria of a task. Data, not code.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The three tasks of the paper; imported audits may bring tasks of their own.
pub const TASKS: [&str; 3] = ["interest", "tag", "explanation"];

/// Text per language (`en`, `zh`); English is always there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Localised(pub BTreeMap<String, String>);

impl Localised {
    /// The text in that language, else in English, else any, else empty.
    #[must_use]
    pub fn get(&self, lang: &str) -> &str {
        self.0
            .get(lang)
            .or_else(|| self.0.get("en"))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }
}

/// A version of a task's criteria.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rubric {
    /// Task it judges.
    pub task: String,
    /// `major.minor`: minor versions keep labels comparable, major ones do not.
    pub version: String,
    /// What it is called.
    pub name: Localised,
    /// Criteria in the order people see them.
    pub criteria: Vec<Criterion>,
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Criterion {
    /// Short stable name, e.g. `relevance`.
    pub name: String,
    /// What people read above the answers.
    pub title: Localised,
    /// The question, worded so that "yes" means pass.
    pub question: Localised,
    /// When it passes.
    pub pass: Localised,
    /// When it fails.
    pub fail: Localised,
    /// The answers; the first passing one is what "pass" stores.
    pub labels: Vec<LabelDef>,
}

/// One answer of a criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelDef {
    /// Stored word.
    pub name: String,
    /// Whether it passes.
    pub pass: bool,
    /// Shown word.
    pub title: Localised,
}

impl Rubric {
    /// The criterion of that name.
    #[must_use]
    pub fn criterion(&self, name: &str) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.name == name)
    }
}

impl Criterion {
    /// The label of that name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&LabelDef> {
        self.labels.iter().find(|label| label.name == name)
    }

    /// The label a bare pass (or fail) is stored as.
    #[must_use]
    pub fn first_label(&self, pass: bool) -> Option<&LabelDef> {
        self.labels.iter().find(|label| label.pass == pass)
    }
}
