//! Self-training: what needs models, weights and the database at once.

pub mod report;
mod rows;
pub mod simulate;
pub mod train;
mod trainer;
mod verdicts;

pub use trainer::LocalTrainer;
