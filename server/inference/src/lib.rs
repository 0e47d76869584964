//! Models: generation, verdict scoring and embeddings, in process or remote.
//!
//! A model of the catalogue runs on a thread of its own with a bounded queue. Opening one reads
//! nothing: its files are checked against their hashes and loaded when the first request comes.

mod cache;
mod candle;
mod catalogue;
mod closing;
mod decode;
mod embed;
mod engine;
mod gguf;
mod grammar;
#[cfg(test)]
mod hostile_tests;
mod lesson;
mod model;
mod openai;
mod queue;
mod sampler;
mod schema;
mod serving;
mod validate;
mod verify;
mod vocabulary;
mod worker;

pub use candle::CandleModel;
pub use catalogue::{Arch, Catalogue, CatalogueError, Entry, File, Hub, Part, Role, Verification};
pub use embed::LocalEmbedder;
pub use engine::Counters;
pub use lesson::Lessons;
pub use openai::{Batch, OpenAiConfig, OpenAiModel, Received};
pub use worker::Options;

use std::path::Path;
use std::sync::Arc;

use concord_domain::ports::{Embedder, LanguageModel, ModelError};

/// Opens a language model of the catalogue by name; see [`CandleModel::open`].
///
/// # Errors
/// [`ModelError::Unavailable`] when the catalogue has no such language model.
pub fn open_language_model(
    catalogue: &Catalogue,
    name: &str,
    weights: &Path,
    options: Options,
) -> Result<Arc<dyn LanguageModel>, ModelError> {
    Ok(Arc::new(CandleModel::open(catalogue, name, weights, options)?))
}

/// Opens an embedding model of the catalogue by name; see [`LocalEmbedder::open`].
///
/// # Errors
/// [`ModelError::Unavailable`] when the catalogue has no such embedding model.
pub fn open_embedder(
    catalogue: &Catalogue,
    name: &str,
    weights: &Path,
    options: Options,
) -> Result<Arc<dyn Embedder>, ModelError> {
    Ok(Arc::new(LocalEmbedder::open(catalogue, name, weights, options)?))
}

/// Gives clients of HTTP in this process their cryptography. Somebody else may have done so before: any will do.
pub fn install_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
