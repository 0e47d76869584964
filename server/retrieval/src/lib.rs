//! Retrieval (paper §4): three towers for users, items and tags, the baselines they are measured against, the
//! evaluation of both, search over the vectors, and φ, which gives a tag its category.
//!
//! Nothing here knows a database: logs come in as [`Logs`], vectors go out as numbers.

pub mod atomic;
pub mod baselines;
pub mod evaluate;
pub mod features;
pub mod logs;
pub mod metrics;
pub mod model;
pub mod report;
pub mod search;
pub mod towers;
pub mod train;
pub mod tune;

mod error;
mod losses;
mod params;
mod phi;

pub use error::RetrievalError;
pub use logs::{Event, Item, Logs, LogsBuilder, Split};
pub use model::Model;
pub use phi::{Phi, PhiTraining};
pub use search::{ExactIndex, Hit, HnswIndex, HnswSettings, VectorSearch};
pub use towers::{Layout, Settings, Tower};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, RetrievalError>;
