//! A language model behind any server that speaks the OpenAI chat protocol.

mod batch;
mod client;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use concord_domain::ports::{
    GenerateRequest, Generated, LanguageModel, ModelError, ModelInfo, Score, ScoreRequest, Scored,
};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::schema::BoundedSchema;
use crate::validate::validates;
pub use batch::{Batch, Received};
use client::{Http, unavailable};

/// Where a remote model is and how patient we are with it.
#[derive(Clone)]
pub struct OpenAiConfig {
    /// Up to and including the version, e.g. `http://localhost:8000/v1`.
    pub base_url: String,
    /// Sent as a bearer token; never logged.
    pub api_key: Option<String>,
    /// The model's name on that server.
    pub model: String,
    /// Weights family, e.g. `qwen2.5`.
    pub family: String,
    /// Time for one try.
    pub timeout: Duration,
    /// Further tries after a 429, a 5xx or a broken connection.
    pub retries: u32,
    /// Requests under way at once.
    pub concurrency: usize,
}

impl OpenAiConfig {
    /// The usual patience: two minutes a try, three more tries, four requests at once.
    #[must_use]
    pub fn new(base_url: &str, api_key: Option<String>, model: &str, family: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            api_key,
            model: model.to_owned(),
            family: family.to_owned(),
            timeout: Duration::from_secs(120),
            retries: 3,
            concurrency: 4,
        }
    }
}

/// A remote language model.
pub struct OpenAiModel {
    way: Way,
    info: ModelInfo,
    slots: Semaphore,
}

/// How questions get there.
enum Way {
    Http(Http),
    Batch(Arc<Batch>),
}

impl OpenAiModel {
    /// A model that is asked and answers by file. It is the same model as the one at the configured address.
    #[must_use]
    pub fn by_file(batch: Arc<Batch>, model: &str, address: Option<&str>) -> Self {
        let info = ModelInfo {
            name: model.to_owned(),
            hash: format!("remote:{}", address.unwrap_or("batch")),
            family: model.to_owned(),
            backend: "openai".to_owned(),
        };
        Self { way: Way::Batch(batch), info, slots: Semaphore::new(1) }
    }

    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] for an address that cannot be used.
    pub fn new(config: &OpenAiConfig) -> Result<Self, ModelError> {
        let name = config.model.as_str();
        let url = Url::parse(&config.base_url)
            .map_err(|error| unavailable(name, &format!("bad address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.password().is_some() || !url.username().is_empty()
        {
            return Err(unavailable(name, "the address must be http(s) and hold no credentials"));
        }
        let http = Http::new(&url, config.api_key.as_deref(), name, config.timeout, config.retries)?;
        let info = ModelInfo {
            name: config.model.clone(),
            hash: format!("remote:{url}"),
            family: config.family.clone(),
            backend: "openai".to_owned(),
        };
        Ok(Self { way: Way::Http(http), info, slots: Semaphore::new(config.concurrency.max(1)) })
    }

    async fn ask(
        &self,
        system: &str,
        user: &str,
        extra: Value,
    ) -> Result<(wire::Choice, wire::Usage), ModelError> {
        let _slot = self.slots.acquire().await.map_err(|error| ModelError::Failed(error.to_string()))?;
        let body = wire::chat(&self.info.name, system, user, extra);
        let answer = match &self.way {
            Way::Http(http) => http.chat(&body).await?,
            Way::Batch(batch) => batch.chat(&self.info.name, &body)?,
        };
        let choice = answer.choices.into_iter().next();
        let choice =
            choice.ok_or_else(|| ModelError::Failed("the server's answer has no choice".to_owned()))?;
        Ok((choice, answer.usage))
    }
}

#[async_trait]
impl LanguageModel for OpenAiModel {
    async fn info(&self) -> Result<ModelInfo, ModelError> {
        Ok(self.info.clone())
    }

    async fn count_tokens(&self, text: &str) -> Result<usize, ModelError> {
        Ok(estimate_tokens(text))
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generated, ModelError> {
        let started = Instant::now();
        let schema = request.schema.as_ref().map(BoundedSchema::check).transpose()?;
        let mut extra = json!({
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        });
        if let Some(bounded) = &schema {
            extra["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "document", "strict": true, "schema": bounded.schema},
            });
        }
        let (choice, usage) = self.ask(&request.system, &request.user, extra).await?;
        let truncated = choice.finish_reason.as_deref() == Some("length");
        let text = choice.message.content.unwrap_or_default();
        if let Some(bounded) = &schema {
            let document = serde_json::from_str(&text).ok();
            if !document.is_some_and(|document| validates(&bounded.schema, &document)) {
                let why =
                    if truncated { "was cut off at the token limit" } else { "does not satisfy the schema" };
                return Err(ModelError::Failed(format!("the server's document {why}")));
            }
        }
        Ok(Generated {
            text,
            prompt_tokens: usage.prompt_tokens,
            output_tokens: usage.completion_tokens,
            forced_tokens: 0,
            truncated,
            millis: millis(started),
        })
    }

    async fn score(&self, request: ScoreRequest) -> Result<Scored, ModelError> {
        let started = Instant::now();
        if request.answers.len() < 2 {
            return Err(ModelError::BadRequest("at least two answers are compared".to_owned()));
        }
        let mut scores = Vec::with_capacity(request.questions.len());
        let mut prefilled_tokens = 0;
        let mut waits = None;
        // One after the other: a server with a prefix cache reads the shared part once.
        for question in &request.questions {
            let user = format!("{}{}{question}", request.preamble, request.shared);
            let extra = json!({"max_tokens": 1, "temperature": 0, "logprobs": true, "top_logprobs": 20});
            let (choice, usage) = match self.ask(&request.system, &user, extra).await {
                Ok(answered) => answered,
                // By file every question is written down, not only the first that waits.
                Err(error) if matches!(self.way, Way::Batch(_)) => {
                    waits = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            prefilled_tokens += usage.prefilled();
            let logits = wire::answer_logprobs(&choice, &request.answers);
            let p_first = logits.as_deref().and_then(crate::engine::softmax_first);
            let said = if p_first.is_none() { wire::answer_said(&choice, &request.answers) } else { None };
            scores.push(Score { logits, p_first, said });
        }
        if let Some(error) = waits {
            return Err(error);
        }
        let shared = [&request.system, &request.preamble, &request.shared];
        let prefix_tokens = shared.into_iter().map(|part| estimate_tokens(part)).sum();
        Ok(Scored { scores, prefix_tokens, prefilled_tokens, millis: millis(started) })
    }
}

/// A rough count for a vocabulary we do not have: a Chinese character is most of a token, four
/// letters of a European text are one.
fn estimate_tokens(text: &str) -> usize {
    let wide = text.chars().filter(|symbol| u32::from(*symbol) >= 0x2e80).count();
    let narrow = text.chars().count() - wide;
    (wide * 4).div_ceil(5) + narrow.div_ceil(4)
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
