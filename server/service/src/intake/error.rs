//! Why an import stopped. What is wrong with single rows is a reject, not an error.

use concord_store::{StoreError, Trouble};

/// Why nothing more was read or written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The path is a folder.
    #[error("{0} is a folder; name a file in it")]
    Folder(String),
    /// The file cannot be opened.
    #[error("cannot open {path}: {why}")]
    Open {
        /// Path as given.
        path: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// Not one row.
    #[error("the file is empty: no rows to import")]
    Empty,
    /// The file is not UTF-8.
    #[error(
        "the file is not UTF-8; it looks like {suspect}. Convert it first: iconv -f {suspect} -t UTF-8 FILE > FILE.utf8"
    )]
    Encoding {
        /// What it looks like, as iconv calls it.
        suspect: &'static str,
    },
    /// The header lacks what the kind needs.
    #[error("wrong columns: {why}. Found: {found}. Wanted: {wanted}")]
    Columns {
        /// What is wrong.
        why: String,
        /// The header.
        found: String,
        /// What the kind needs.
        wanted: &'static str,
    },
    /// A RecBole header without types.
    #[error("the header has no types: {found}. A RecBole header reads like {wanted}")]
    Untyped {
        /// The header.
        found: String,
        /// An example.
        wanted: &'static str,
    },
    /// The format has no files of this kind.
    #[error("the format {format} has no {kind}; {mend}")]
    Mismatch {
        /// Format.
        format: &'static str,
        /// Kind.
        kind: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// Reading failed half-way; what was committed before stays.
    #[error("reading failed after line {line}: {why}")]
    Read {
        /// Last whole line.
        line: u64,
        /// What the system says.
        why: std::io::Error,
    },
    /// The rejects file cannot be written; its batch was not committed.
    #[error("cannot write the rejects file: {0}")]
    Rejects(#[source] std::io::Error),
    /// The database refused; its batch was not committed.
    #[error("{0}")]
    Store(#[source] StoreError),
    /// The database ended the connection or gave none: down, starting, stopping; the batch was not committed.
    #[error(
        "the database does not answer now: send the same import again in a few seconds; nothing is doubled"
    )]
    DatabaseAway(#[source] StoreError),
    /// The disk of the database is full; the batch was not committed.
    #[error(
        "no space left on the database's disk: free some and run the same command again; nothing is doubled"
    )]
    DatabaseFull,
    /// The parser thread ended without a word: a fault of ours.
    #[error("the parser stopped unexpectedly")]
    ParserGone,
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error.trouble() {
            Some(Trouble::Full) => Self::DatabaseFull,
            Some(Trouble::Away) => Self::DatabaseAway(error),
            _ => Self::Store(error),
        }
    }
}

impl From<sqlx::Error> for ImportError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Why a row was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// The field at fault, where one is.
    pub(super) field: Option<String>,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Bad {
    pub(super) fn row(reason: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into() }
    }

    pub(super) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: Some(field.into()), reason: reason.into() }
    }
}
