//! The words of the OpenAI chat protocol that we use.

use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a chat request; `extra` holds what differs between writing and scoring.
pub(super) fn chat(model: &str, system: &str, user: &str, extra: Value) -> Value {
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ],
    });
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body
}

/// The same body with its schema in the form that came before `json_schema`, which llama-cpp-python's server takes;
/// nothing where it has none, or has that form already.
pub(super) fn older(body: &Value) -> Option<Value> {
    let schema = body.pointer("/response_format/json_schema/schema")?.clone();
    let mut body = body.clone();
    body["response_format"] = json!({"type": "json_object", "schema": schema});
    Some(body)
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Usage,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) message: Message,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs: Option<LogProbs>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub(super) prompt_tokens: usize,
    #[serde(default)]
    pub(super) completion_tokens: usize,
    pub(super) prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PromptDetails {
    #[serde(default)]
    pub(super) cached_tokens: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct LogProbs {
    pub(super) content: Option<Vec<Position>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    pub(super) top_logprobs: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Candidate {
    pub(super) token: String,
    pub(super) logprob: f32,
}

impl Usage {
    /// Prompt tokens the server computed: what its own cache held is not counted.
    pub(super) fn prefilled(&self) -> usize {
        let cached = self.prompt_tokens_details.as_ref().map_or(0, |details| details.cached_tokens);
        self.prompt_tokens.saturating_sub(cached)
    }
}

/// The log-probability of each answer's first token, if the server listed every one of them.
///
/// We do not know the server's tokens: a listed one counts for the only answer it can begin.
pub(super) fn answer_logprobs(choice: &Choice, answers: &[String]) -> Option<Vec<f32>> {
    let listed = &choice.logprobs.as_ref()?.content.as_ref()?.first()?.top_logprobs;
    let mut best: Vec<Option<f32>> = vec![None; answers.len()];
    for candidate in listed {
        let token = candidate.token.trim();
        let mut begun =
            (0..answers.len()).filter(|index| !token.is_empty() && answers[*index].starts_with(token));
        if let (Some(index), None) = (begun.next(), begun.next()) {
            let known = best[index].unwrap_or(f32::NEG_INFINITY);
            best[index] = Some(known.max(candidate.logprob));
        }
    }
    best.into_iter().collect()
}

/// The answer that the written text is, and nothing but it: a word followed by something else ("No problem") or
/// two answers at once is not read, because a wrong reading would look like a verdict.
pub(super) fn answer_said(choice: &Choice, answers: &[String]) -> Option<usize> {
    let text = choice.message.content.as_deref()?;
    let said =
        text.trim().trim_matches(|sign: char| sign.is_ascii_punctuation() || "。，！“”「」".contains(sign));
    answers.iter().position(|answer| answer.to_lowercase() == said.to_lowercase())
}
