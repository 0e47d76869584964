//! What the use cases need from models: generation, verdict scoring and embeddings.
//!
//! Two backends implement [`LanguageModel`]: candle in process and any OpenAI-compatible server.
//! The traits know nothing of tensors, HTTP or prompts; a caller hands over text that is already
//! split into instructions and data, and gets text, probabilities and counts back.

use async_trait::async_trait;

/// What a model is, as stored with everything it writes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelInfo {
    /// Catalogue name, e.g. `qwen2.5-coder-1.5b`.
    pub name: String,
    /// SHA-256 of the weight file, or `remote:<base url>` where the weights cannot be hashed.
    pub hash: String,
    /// Weights family, e.g. `qwen2.5`; a judge and a generator of one family share weights' taste.
    pub family: String,
    /// `candle` or `openai`.
    pub backend: String,
}

/// Who waits for the answer: people go before batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Nobody waits: rationales for samples that may be served later.
    Low,
    /// A batch job.
    #[default]
    Batch,
    /// A person waits.
    Person,
}

/// A request to write one JSON document.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// Instructions: ours, trusted.
    pub system: String,
    /// The user turn: data from logs; special tokens inside are taken as plain text.
    pub user: String,
    /// JSON Schema the output must satisfy; enforced token by token. `None` writes free text.
    pub schema: Option<serde_json::Value>,
    /// Hard limit of written tokens; a constrained document is closed validly within it.
    pub max_tokens: usize,
    /// 0 is greedy.
    pub temperature: f64,
    /// Seed of the sampler: the same request gives the same text.
    pub seed: u64,
    /// Place in the queue.
    pub priority: Priority,
}

/// What [`LanguageModel::generate`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The text: a JSON document where a schema was given.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens written, forced ones included.
    pub output_tokens: usize,
    /// Of these, tokens the grammar forced.
    pub forced_tokens: usize,
    /// The token limit was reached and the document was closed early.
    pub truncated: bool,
    /// Wall time in milliseconds, queueing excluded.
    pub millis: u64,
}

/// A request for the probability of each answer to several questions on one shared prefix.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// Instructions: ours, trusted.
    pub system: String,
    /// The part of the user turn that many requests share, such as worked examples; empty, or ends with a
    /// newline. Data. A model with a prefix cache reads it once for all of them.
    pub preamble: String,
    /// The part of the user turn every question shares; ends with a newline. Data.
    pub shared: String,
    /// One question a criterion: the rest of the user turn.
    pub questions: Vec<String>,
    /// The answers whose first tokens are compared, e.g. `["Yes", "No"]`; the first one is "pass".
    pub answers: Vec<String>,
    /// Place in the queue.
    pub priority: Priority,
}

/// The scores of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Raw logit (candle) or log-probability (remote) of each answer, in the request's order;
    /// `None` where a remote server did not list the answer or gives no log-probabilities.
    pub logits: Option<Vec<f32>>,
    /// Probability of the first answer among the answers; `None` when it could not be read.
    pub p_first: Option<f64>,
    /// Where there is no probability: the answer that the written text is, by its place in the request. A
    /// server without log-probabilities gives only this.
    pub said: Option<usize>,
}

/// What [`LanguageModel::score`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// One score a question, in order.
    pub scores: Vec<Score>,
    /// Tokens of the shared prefix, which was prefilled once.
    pub prefix_tokens: usize,
    /// Tokens prefilled in all: the prefix once and every question.
    pub prefilled_tokens: usize,
    /// Wall time in milliseconds, queueing excluded.
    pub millis: u64,
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The weights are not there or are not what the catalogue says.
    #[error("model {name} is unavailable: {why}. {mend}")]
    Unavailable {
        /// Catalogue name.
        name: String,
        /// What is wrong.
        why: String,
        /// What to do about it.
        mend: String,
    },
    /// The queue is full; try again later.
    #[error("the model queue is full")]
    Overloaded,
    /// The request cannot be served as it stands (too long, a schema that is not one).
    #[error("bad model request: {0}")]
    BadRequest(String),
    /// A remote server failed or a kernel did.
    #[error("the model failed: {0}")]
    Failed(String),
}

/// A language model: writes JSON by schema, and scores answers.
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// What it is.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when the weights are missing or changed.
    async fn info(&self) -> Result<ModelInfo, ModelError>;
    /// Counts tokens of a text as this model sees it (an estimate for remote servers).
    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError>;
    /// Writes one document.
    ///
    /// # Errors
    /// Any [`ModelError`]; with a schema the text always parses and validates.
    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError>;
    /// Where several models take turns behind this one: the one with these weights, so that what one began another
    /// does not end. `None`: there is only this one, or none of them has these weights.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when it is known and cannot be opened.
    async fn with_weights(
        &self,
        _sha256: &str,
    ) -> Result<Option<std::sync::Arc<dyn LanguageModel>>, ModelError> {
        Ok(None)
    }
    /// Scores the answers of every question on one shared prefix.
    ///
    /// # Errors
    /// Any [`ModelError`].
    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError>;
}

/// What is embedded: e5 models tell queries from passages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedKind {
    /// A short text that looks for something, e.g. a tag.
    Query,
    /// A text to be found, e.g. an item title.
    Passage,
}

/// Turns texts into unit vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What it is.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when the weights are missing or changed.
    async fn info(&self) -> Result<ModelInfo, ModelError>;
    /// One unit vector a text, in order.
    ///
    /// # Errors
    /// Any [`ModelError`].
    async fn embed(&self, kind: EmbedKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ModelError>;
}
