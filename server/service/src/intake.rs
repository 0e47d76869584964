//! Intake: logs, and samples, labels and verdicts made elsewhere, from files and requests, streamed in constant memory.
//!
//! A thread reads lines into batches ([`batch`]); each batch is one COPY and one transaction
//! ([`load`]). Rows that cannot be used are rejects with line and reason; only what makes the whole
//! file unusable is an error. The same rows again change nothing.

mod amazon;
mod batch;
mod columns;
mod copy;
mod csv;
mod encoding;
mod error;
mod json;
mod judged;
mod lines;
mod load;
mod parquet;
mod pseudonym;
mod record;
mod rejects;
mod schema;
mod source;
mod table;
mod text;
mod times;

pub use concord_store::behaviours::UnknownItems;
pub use error::ImportError;
pub use pseudonym::PseudonymKey;
pub use rejects::{Reject, RejectFile, RejectSink};
pub use schema::schema;
pub use source::{Source, open};
pub use times::TimeUnit;

use crate::error::OrInternal;
use concord_domain::{Actor, BehaviourKind};
use concord_store::events;
use serde::Serialize;
use sqlx::{Connection, PgPool};
use std::{
    io::{BufReader, Read},
    sync::{Arc, atomic::AtomicBool},
};

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// People in the logs.
    Users,
    /// The catalogue.
    Items,
    /// What users did.
    Behaviours,
    /// What a model wrote elsewhere.
    Samples,
    /// What people said of samples.
    Labels,
    /// What a judge said of samples.
    Verdicts,
}

impl Kind {
    /// Made elsewhere: samples, labels and verdicts.
    fn is_judged(self) -> bool {
        matches!(self, Self::Samples | Self::Labels | Self::Verdicts)
    }
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated with a header.
    Csv,
    /// RecBole atomic files: tabs, and a header with types.
    Recbole,
    /// Taobao's UserBehavior.csv, without a header.
    Taobao,
    /// Amazon Reviews 2023: reviews and metadata.
    Amazon,
    /// Parquet.
    Parquet,
}

macro_rules! words {
    ($name:ident: $($variant:ident = $word:literal),*) => {
        impl $name {
            /// Every one, as written in commands and addresses.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word in commands and addresses.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("{word:?} cannot be imported in this version; there are {}", Self::WORDS.join(", "))),
                }
            }
        }
    };
}
words!(
    Kind: Users = "users", Items = "items", Behaviours = "behaviours", Samples = "samples", Labels = "labels",
    Verdicts = "verdicts"
);
words!(Format: Jsonl = "jsonl", Csv = "csv", Recbole = "recbole", Taobao = "taobao", Amazon = "amazon",
    Parquet = "parquet");

/// The choices of an import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// What is imported.
    pub kind: Kind,
    /// How it is written.
    pub format: Format,
    /// Kind of behaviours that do not say theirs; `None`: a purchase in tables, a reject in JSON lines.
    pub behaviour: Option<BehaviourKind>,
    /// Ratings below are not reliable feedback.
    pub min_rating: f32,
    /// Task of samples, labels and verdicts that do not say theirs.
    pub task: Option<String>,
    /// What becomes of behaviours on items that the catalogue does not have.
    pub unknown_items: UnknownItems,
    /// Users and clusters get pseudonyms by this key.
    pub pseudonyms: Option<PseudonymKey>,
    /// Set to stop after the current batch.
    pub stop: Arc<AtomicBool>,
}

impl ImportOptions {
    /// The defaults for a kind and format.
    #[must_use]
    pub fn new(kind: Kind, format: Format) -> Self {
        Self {
            kind,
            format,
            behaviour: None,
            min_rating: 4.0,
            task: None,
            unknown_items: UnknownItems::Create,
            pseudonyms: None,
            stop: Arc::default(),
        }
    }

    fn rejects_unknown_items(&self) -> bool {
        self.unknown_items == UnknownItems::Reject
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows of the file in the database or rejected.
    pub lines: u64,
    /// Rows counted as in [`ImportReport`].
    pub rows: u64,
    /// New ones.
    pub new: u64,
    /// Rejects.
    pub rejected: u64,
}

/// What an import did. `rows` = `new` + `duplicate` + `rejected`; a sequence counts as its behaviours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Users, items, behaviours, samples, labels or verdicts read.
    pub rows: u64,
    /// Rows that were not there before, or filled a row known by its key alone.
    pub new: u64,
    /// Rows that were there.
    pub duplicate: u64,
    /// Rows left out, each told to the reject sink.
    pub rejected: u64,
    /// Rows of the file.
    pub lines: u64,
    /// Behaviours on items without a catalogue entry.
    pub unknown_items: u64,
    /// The first three of them: line and item.
    pub unknown_first: Vec<(u64, String)>,
    /// How times were read; `None` where there are none.
    pub time_unit: Option<TimeUnit>,
    /// What else there is to know, in words.
    pub notes: Vec<String>,
    /// Stopped on request: what is counted is in, and the same import again doubles nothing.
    pub interrupted: bool,
    /// Why it stopped before the end; what is counted is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Notes in the log of events what an import did, and by whom.
///
/// # Errors
/// The database's.
pub async fn record(
    pool: &PgPool,
    actor: &Actor,
    kind: Kind,
    report: &ImportReport,
) -> concord_domain::api::Result<()> {
    let ImportReport { rows, new, duplicate, rejected, .. } = report;
    let detail = serde_json::json!({"rows": rows, "new": new, "duplicate": duplicate, "rejected": rejected});
    let mut conn = pool.acquire().await.or_internal()?;
    events::append(&mut conn, Some(actor.account), "import", kind.as_str(), &detail).await.or_internal()
}

/// Imports everything the reader gives.
///
/// # Errors
/// When the whole input is unusable, or reading or writing fails before anything is in; later than that
/// the report says why it stopped.
pub async fn import<R: Read + Send + 'static>(
    pool: &PgPool,
    reader: R,
    options: &ImportOptions,
    rejects: &mut impl RejectSink,
    progress: impl Fn(Progress),
) -> Result<ImportReport, ImportError> {
    // The loader may be slower than the parser: two batches ahead are the most that is held.
    let (sender, messages) = tokio::sync::mpsc::channel(2);
    let parser = options.clone();
    // A thread of its own, not the runtime's: it may wait for standard input for ever, and nothing
    // should wait for it when the import is stopped.
    std::thread::Builder::new()
        .name("import-parser".into())
        .spawn(move || batch::read(BufReader::with_capacity(256 * 1024, reader), &parser, sender))
        .map_err(|why| ImportError::Read { line: 0, why })?;
    // A connection of its own, closed at the end, because temporary tables stay on it.
    let conn = pool.acquire().await?.detach();
    let report = ImportReport::default();
    let mut loader = load::Loader { conn, options, rejects, progress, report };
    let result = loader.run(messages).await;
    let load::Loader { conn, mut report, .. } = loader;
    // Closing tells PostgreSQL goodbye; if that fails the connection is gone anyway.
    let _ = conn.close().await;
    match result {
        Ok(()) => Ok(report),
        Err(error) if report.new + report.duplicate > 0 => {
            report.failed = Some(error.to_string());
            Ok(report)
        }
        Err(error) => Err(error),
    }
}
