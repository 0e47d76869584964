//! What can go wrong.

/// An error of retrieval.
#[derive(Debug, thiserror::Error)]
pub enum RetrievalError {
    /// A tensor operation.
    #[error("arithmetic: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A file.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A row of a log that cannot be read.
    #[error("{path}, line {line}, {field}: {why}")]
    Row {
        /// The file.
        path: String,
        /// Line, from 1.
        line: u64,
        /// The column.
        field: String,
        /// What is wrong.
        why: String,
    },
    /// There is nothing to learn from or to measure.
    #[error("{0}")]
    Empty(String),
    /// A setting outside its range.
    #[error("setting {name}: {why}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it must be.
        why: String,
    },
    /// A variable that the loss does not reach: it would silently stay as it was.
    #[error("{0} got no gradient")]
    NoGradient(String),
    /// A loss that is no number.
    #[error("the loss is not finite at step {0}: lower the learning rate")]
    NotFinite(u64),
    /// A checkpoint or model that does not belong here.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// Asked to stop; the checkpoint holds what was done.
    #[error("stopped at step {0}; the same command goes on from there")]
    Stopped(u64),
}
