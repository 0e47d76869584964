//! Fine-tuning in process: LoRA (Hu et al. 2021) on a frozen small Llama-like model, on a CPU.
//!
//! Everything is written with operations that have a backward: candle's fused `rms_norm`, `rope` and
//! `softmax_last_dim` have none and say nothing of it, so a model of its library does not learn. After each backward
//! every trained variable is asked for its gradient; one without is an error.

mod adapter;
mod below;
mod data;
mod frozen;
mod merge;
mod optimiser;
mod product;
mod recompute;
mod run;
mod verdict;

pub use adapter::{Adapter, LoraConfig, Target};
pub use below::Below;
pub use data::{Example, Packed, pack, pack_in_order};
pub use frozen::{Frozen, Precision, Shape};
pub use merge::merge;
pub use optimiser::{Schedule, Settings};
pub use run::{Progress, Run, Trained};

/// Why training cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A tensor operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A variable that would never move.
    #[error("{0} got no gradient: an operation on its way has no backward")]
    NoGradient(String),
    /// The loss is not a number any more.
    #[error("the loss is {loss} at step {step}: lower the learning rate")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// The data cannot be learnt from.
    #[error("{0}")]
    Data(String),
    /// A weight file or a checkpoint that does not fit.
    #[error("{0}")]
    File(String),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: std::path::PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

/// A result of training.
pub type Result<T> = std::result::Result<T, TrainError>;

pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Io { path, source }
}
