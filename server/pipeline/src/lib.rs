//! The paper's stages as pure steps: facts in, prompts and schemas out; the model's JSON in, drafts of
//! samples out. No I/O, no model, no clock.

pub mod compress;
pub mod curriculum;
pub mod explanations;
pub mod interests;
pub mod judge;
pub mod language;
pub mod lessons;
pub mod oracle;
pub mod personas;
pub mod presets;
pub mod prompt;
pub mod rouge;
pub mod rubrics;
pub mod select;
pub mod similar;
pub mod tags;
pub mod truth;
pub mod words;

pub use prompt::Prompt;

/// Why a stage's input or output cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// An embedded prompt or rubric file does not parse: a fault of the build.
    #[error("{file}: {why}")]
    BadFile {
        /// File name.
        file: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The model's output is not what the schema asked for.
    #[error("the model's output does not fit the schema: {0}")]
    BadOutput(#[from] serde_json::Error),
}
