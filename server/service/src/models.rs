//! The models the use cases run on, as trait objects.

use concord_domain::ports::{Embedder, LanguageModel, ModelError};
use std::sync::Arc;

/// The generator, the judge and the embedder. The first two may be one model.
#[derive(Clone)]
pub struct Models {
    /// Writes samples.
    pub generator: Arc<dyn LanguageModel>,
    /// Judges them.
    pub judge: Arc<dyn LanguageModel>,
    /// Finds items for tags.
    pub embedder: Arc<dyn Embedder>,
}

impl Models {
    /// What is missing for generation and judging, in words; `None` when all is there.
    pub async fn trouble(&self) -> Option<String> {
        let checks = [self.generator.info().await, self.judge.info().await, self.embedder.info().await];
        let mut troubles: Vec<String> =
            checks.into_iter().filter_map(Result::err).map(|error: ModelError| error.to_string()).collect();
        troubles.dedup();
        (!troubles.is_empty()).then(|| troubles.join("\n"))
    }
}
