//! `manifest.json`: what was exported, from what, by what. No times and no paths, so that the same policy
//! on the same data gives the same bytes.

use serde::Serialize;
use std::collections::BTreeMap;

/// The manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Schema of this file.
    pub schema: &'static str,
    /// Version of Concord that wrote it.
    pub code_version: &'static str,
    /// The policy as run.
    pub policy: serde_json::Value,
    /// Rows in all.
    pub rows: u64,
    /// Rows by task.
    pub rows_by_task: BTreeMap<String, u64>,
    /// Rows by language.
    pub rows_by_language: BTreeMap<String, u64>,
    /// Rubric version by task.
    pub rubrics: BTreeMap<String, std::collections::BTreeSet<String>>,
    /// Generators: name to hashes of the weights.
    pub generators: BTreeMap<String, std::collections::BTreeSet<String>>,
    /// Prompt versions.
    pub prompts: std::collections::BTreeSet<String>,
    /// Judges of the exported samples.
    pub judges: std::collections::BTreeSet<String>,
    /// Every data file.
    pub files: Vec<FileEntry>,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Name in the folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}
