//! Models that count their calls: the same ports, with a clock around each call.

use super::Metrics;
use async_trait::async_trait;
use concord_domain::ports::{
    EmbedKind, Embedder, GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, ScoreRequest,
    Scored,
};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;

/// A language model that counts.
pub struct MeteredModel {
    inner: Arc<dyn LanguageModel>,
    role: &'static str,
    metrics: Arc<Metrics>,
}

impl MeteredModel {
    /// Counts the calls of `inner` as those of `role`.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, role: &'static str, metrics: Arc<Metrics>) -> Self {
        Self { inner, role, metrics }
    }
}

#[async_trait]
impl LanguageModel for MeteredModel {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        self.inner.info().await
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        self.inner.count_tokens(text).await
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError> {
        let began = Instant::now();
        let span = tracing::info_span!("model", role = self.role, call = "generate");
        let result = self.inner.generate(request).instrument(span).await;
        self.metrics.called(self.role, "generate", began.elapsed(), result.is_ok());
        if let Ok(written) = &result {
            self.metrics.count_tokens(self.role, "prompt", written.prompt_tokens);
            self.metrics.count_tokens(self.role, "output", written.output_tokens);
            self.metrics.count_tokens(self.role, "forced", written.forced_tokens);
        }
        result
    }

    async fn with_weights(&self, sha256: &str) -> Result<Option<Arc<dyn LanguageModel>>, ModelError> {
        self.inner.with_weights(sha256).await
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        let began = Instant::now();
        let questions = request.questions.len();
        let span = tracing::info_span!("model", role = self.role, call = "score");
        let result = self.inner.score(request).instrument(span).await;
        self.metrics.called(self.role, "score", began.elapsed(), result.is_ok());
        if let Ok(scored) = &result {
            self.metrics.count_tokens(self.role, "prompt", scored.prefilled_tokens);
            // Without the shared prefix every question would have read it.
            let saved = scored.prefix_tokens * questions.saturating_sub(1);
            self.metrics.count_tokens(self.role, "cached", saved);
        }
        result
    }
}

/// An embedder that counts.
pub struct MeteredEmbedder {
    inner: Arc<dyn Embedder>,
    metrics: Arc<Metrics>,
}

impl MeteredEmbedder {
    /// Counts the calls of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Embedder>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl Embedder for MeteredEmbedder {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        self.inner.info().await
    }

    async fn embed(&self, kind: EmbedKind, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ModelError> {
        let began = Instant::now();
        let span = tracing::info_span!("model", role = "embedder", call = "embed");
        let result = self.inner.embed(kind, texts).instrument(span).await;
        self.metrics.called("embedder", "embed", began.elapsed(), result.is_ok());
        result
    }
}
