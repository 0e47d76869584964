//! Samples: what a model wrote, with what a person needs to judge it, and never a verdict.

use crate::{GenerationId, History, SampleId};
use serde::{Deserialize, Serialize};

/// A sample as anyone may see it before labelling: nothing here says what a judge or another person thinks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// Its id.
    pub id: SampleId,
    /// Key in imported files; the id for generated ones.
    pub key: String,
    /// Task.
    pub task: String,
    /// What is judged: the interest, the tag or the explanation.
    pub text: String,
    /// Language of the text: `en` or `zh`.
    pub lang: String,
    /// The generator's reason, if it gave one.
    pub reason: Option<String>,
    /// `long_term` or `current`, for interests.
    pub stage: Option<String>,
    /// What it rests on, outermost first: interest, tag, item; empty for an interest.
    pub chain: Vec<ChainLink>,
    /// Numbers of the history lines it cites.
    pub evidence: Vec<u32>,
    /// The user it is about, if any.
    pub user: Option<SampleUser>,
    /// What the generator read of the user; empty for imported samples.
    pub history: History,
    /// Free context of an imported sample, as name and text.
    pub context: Vec<(String, String)>,
}

/// An earlier link of the chain interest → tag → item → explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChainLink {
    /// `interest`, `tag` or `item`.
    pub kind: String,
    /// Its text; for an item its essentials in one line.
    pub text: String,
}

/// The user of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleUser {
    /// The importer's key.
    pub key: String,
    /// Profile: attribute and value.
    pub profile: Vec<(String, String)>,
}

/// A line of the sample list. What an annotator may not know is `None` for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleRow {
    /// Its id.
    pub id: SampleId,
    /// Task.
    pub task: String,
    /// Text.
    pub text: String,
    /// Language.
    pub lang: String,
    /// User key.
    pub user: Option<String>,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// The viewer has labelled it.
    pub labelled_by_me: bool,
    /// What only leads see.
    pub lead: Option<SampleRowLead>,
}

/// What a lead sees of a sample in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleRowLead {
    /// `audit` or `train`.
    pub half: String,
    /// The generation it came from.
    pub generation: Option<GenerationId>,
    /// People who labelled it.
    pub people: i32,
    /// The people's answer on all criteria: `Some(true)` all pass; `None` none yet or tied.
    pub people_pass: Option<bool>,
    /// The judge's answer on all criteria; `None` not judged.
    pub judge_pass: Option<bool>,
    /// Lowest probability of pass among the criteria.
    pub judge_p_min: Option<f64>,
}

/// Filters of the sample list; what is `None` does not filter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct SampleFilter {
    /// Task.
    pub task: Option<String>,
    /// Words in the text.
    pub text: Option<String>,
    /// User key.
    pub user: Option<String>,
    /// Language.
    pub lang: Option<String>,
    /// `audit` or `train` (leads).
    pub half: Option<String>,
    /// `unlabelled`, `agree` (people and judge), `disagree` (leads); `mine` (anyone).
    pub state: Option<String>,
    /// Keyset: rows after this id (ids grow with time; newest first).
    pub after: Option<SampleId>,
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SamplePage {
    /// Rows, newest first.
    pub rows: Vec<SampleRow>,
    /// Pass as `after` for the next page.
    pub next: Option<SampleId>,
}

/// A sample's own page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleDetail {
    /// The sample.
    pub sample: Sample,
    /// Its rubric.
    pub rubric: crate::Rubric,
    /// The viewer's own labels, latest phase.
    pub mine: Vec<crate::Answer>,
    /// Verdicts, where the viewer may see them.
    pub verdicts: Option<Vec<crate::Verdict>>,
    /// Everybody's labels, for leads.
    pub labels: Option<Vec<PersonLabel>>,
    /// The senior reviewer's grade of the verdicts, for leads: S, A or B.
    #[serde(default)]
    pub grade: Option<crate::Grade>,
    /// Earlier links that people failed: for leads all, for others those they have answered themselves.
    #[serde(default)]
    pub linked: Vec<crate::LinkedFail>,
    /// Cited lines that people marked as unsupported, for leads.
    #[serde(default)]
    pub unsupported: Vec<crate::UnsupportedLine>,
    /// How it was made, for leads: name and value (model, hash, prompt, seed, tokens, time).
    pub provenance: Option<Vec<(String, String)>>,
}

/// One person's label, for leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonLabel {
    /// Who.
    pub rater: String,
    /// Criterion.
    pub criterion: String,
    /// Label.
    pub label: String,
    /// Whether it passes.
    pub pass: bool,
    /// Blind or revised.
    pub phase: crate::Phase,
    /// When.
    pub at: jiff::Timestamp,
}
