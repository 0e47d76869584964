//! Export files: rows in a training schema, streamed to a folder or to object storage, manifest last.

mod card;
mod columns;
mod folder;
mod lines;
mod manifest;
mod place;
mod redact;
mod restrict;
mod shape;
mod stanza;

pub use card::card;
pub use folder::{CARD, Chunks, Encoder, ExportFolder, LINEAGE, MANIFEST, file_name};
pub use manifest::{CertificateEntry, FileEntry, Manifest};
pub use place::sweep_store;
pub use redact::redact;
pub use restrict::restrict;
pub use shape::{Asked, Cell, Column, Keys, Record, Shape};
pub use stanza::{AXOLOTL, DATASET_INFO, axolotl, dataset_info};

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target is there and not empty: nothing is overwritten.
    #[error("{0} is not empty: choose another --out or empty it")]
    NotEmpty(std::path::PathBuf),
    /// Another export is being written to the same place.
    #[error("another export is being written to {0}: choose another --out or wait until it is done")]
    Busy(std::path::PathBuf),
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
    /// A record of a kind that the layout has no columns for.
    #[error("{layout} has no columns for such a row of {target}")]
    Mismatch {
        /// The layout.
        layout: String,
        /// What the rows are for.
        target: String,
    },
    /// An address that nothing is known to lie at.
    #[error("{0}: {1}")]
    Address(String, String),
    /// Object storage, or a file of a folder.
    #[error("writing {name}: {source}")]
    Store {
        /// What was written.
        name: String,
        /// What happened.
        source: Box<object_store::Error>,
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
    /// Parquet.
    #[error("Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}
