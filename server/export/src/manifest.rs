//! `manifest.json`: what was exported, from what, by what. No times and no paths, so that the same policy
//! on the same data gives the same bytes.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Manifest {
    /// Schema of this file.
    pub schema: &'static str,
    /// Version of Concord that wrote it.
    pub code_version: &'static str,
    /// The policy as run.
    pub policy: serde_json::Value,
    /// Rows in all.
    pub rows: u64,
    /// Of these in `eval` files.
    pub rows_held_out: u64,
    /// Rows by task.
    pub rows_by_task: BTreeMap<String, u64>,
    /// Rows by language.
    pub rows_by_language: BTreeMap<String, u64>,
    /// Rows that say pass and fail; of pairs, by their grades. KTO's weights are set by these.
    pub rows_by_class: BTreeMap<String, u64>,
    /// Rows by what decided them.
    pub rows_by_evidence: BTreeMap<String, u64>,
    /// Rubric version by task.
    pub rubrics: BTreeMap<String, BTreeSet<String>>,
    /// Generators: name to hashes of the weights.
    pub generators: BTreeMap<String, BTreeSet<String>>,
    /// The runs.
    pub generations: BTreeSet<String>,
    /// Prompt versions.
    pub prompts: BTreeSet<String>,
    /// Judges of the exported samples.
    pub judges: BTreeSet<String>,
    /// Certificates under which verdicts stood alone.
    pub certificates: Vec<CertificateEntry>,
    /// What is never in here, and what sees to it.
    pub split: &'static str,
    /// Every other file.
    pub files: Vec<FileEntry>,
}

/// A certificate behind rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CertificateEntry {
    /// Its id.
    pub id: String,
    /// Task.
    pub task: String,
    /// Criterion, or `all`.
    pub criterion: String,
    /// The judge.
    pub judge: String,
    /// The verdict that stands alone.
    pub verdict: String,
    /// Disagreement with people that it allows.
    pub eps: f64,
    /// Probability of being wrong about that.
    pub delta: f64,
    /// Probability of the verdict from which on it stands.
    pub threshold: f64,
    /// Labels it was read from.
    pub n: i64,
    /// Disagreements among them.
    pub errors: i64,
    /// Upper bound of the disagreement.
    pub ucb: f64,
    /// Rows that rest on it.
    pub rows: i64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Name in the folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows, of data files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}
