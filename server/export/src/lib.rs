//! Export files: rows in a training schema, written to a temporary folder, manifest last, renamed whole.

mod chat;
mod folder;
mod manifest;
mod redact;

pub use chat::{ChatRow, Message, restrict};
pub use folder::ExportFolder;
pub use manifest::{FileEntry, Manifest};
pub use redact::redact;

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target is there and not empty: nothing is overwritten.
    #[error("{0} is not empty: choose another --out or empty it")]
    NotEmpty(std::path::PathBuf),
    /// No sample satisfies the policy.
    #[error("nothing agreed: no labelled sample of the train half satisfies the policy")]
    NothingAgreed,
    /// A stored output is not the document its schema promised.
    #[error("sample {sample}: the generator's output cannot be read back: {why}")]
    BadOutput {
        /// The sample.
        sample: String,
        /// What is wrong.
        why: String,
    },
    /// The disk.
    #[error("writing {path}: {source}")]
    Io {
        /// Where.
        path: std::path::PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A row or the manifest cannot be written as JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}
