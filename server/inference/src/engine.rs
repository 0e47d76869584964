//! A loaded language model: answers one request at a time and remembers what it last read.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use concord_domain::ports::{GenerateRequest, Generated, ModelError, Score, ScoreRequest, Scored};
use llguidance::toktrie::SimpleVob;

use crate::cache::KvCache;
use crate::decode::{LogitsSource, check_limit, write_document, write_text};
use crate::gguf::{Gguf, LoadError};
use crate::grammar::Grammars;
use crate::model::{CHUNK, Model};
use crate::sampler::Sampler;
use crate::vocabulary::Vocabulary;

/// Tells whether somebody still waits for the answer.
pub(crate) type Wanted<'a> = &'a dyn Fn() -> bool;

/// A model with its vocabulary, grammars and cache.
pub(crate) struct Engine {
    model: Model,
    vocabulary: Arc<Vocabulary>,
    grammars: Grammars,
    writable: SimpleVob,
    cache: KvCache,
    /// What the cache holds: the tokens, and where each call that read them ended.
    read: Vec<u32>,
    ends: Vec<usize>,
}

impl Engine {
    pub(crate) fn load(
        path: &Path,
        vocabulary: impl FnOnce(&Gguf) -> Result<Arc<Vocabulary>, LoadError>,
    ) -> Result<Self, LoadError> {
        let mut file = Gguf::open(path)?;
        let vocabulary = vocabulary(&file)?;
        let model = Model::load(&mut file)?;
        let grammars = Grammars::new(vocabulary.env()).map_err(|error| LoadError(error.to_string()))?;
        let cache = model.new_cache()?;
        let mut writable = vocabulary.trie().alloc_token_set();
        let tokens = 0..vocabulary.trie().vocab_size() as u32;
        tokens.filter(|token| !vocabulary.is_special(*token)).for_each(|token| writable.allow_token(token));
        vocabulary.stop().iter().for_each(|token| writable.allow_token(*token));
        Ok(Self { model, vocabulary, grammars, writable, cache, read: Vec::new(), ends: Vec::new() })
    }

    pub(crate) fn generate(
        &mut self,
        request: &GenerateRequest,
        wanted: Wanted<'_>,
    ) -> Result<Generated, ModelError> {
        let started = Instant::now();
        let segments = self.vocabulary.prompt(&request.system, &request.user)?;
        let prompt_tokens = self.check_context(&segments, request.max_tokens)?;
        let grammar = match &request.schema {
            Some(schema) => {
                let grammar = self.grammars.begin(schema)?;
                check_limit(self.vocabulary.trie(), &grammar, request.max_tokens)?;
                Some(grammar)
            }
            None => None,
        };
        let (state, _) = self.prefill(&segments, wanted)?;
        let logits = self.model.logits(&state).map_err(kernel)?;
        let mut sampler = Sampler::new(request.temperature, request.seed);
        let vocabulary = Arc::clone(&self.vocabulary);
        let constrained = grammar.is_some();
        let mut source = Reader { model: &self.model, cache: &mut self.cache, wanted };
        let written = match grammar {
            Some(grammar) => {
                let trie = vocabulary.trie();
                write_document(&mut source, logits, trie, grammar, &mut sampler, request.max_tokens)?
            }
            None => {
                let stop = vocabulary.stop();
                write_text(&mut source, logits, &self.writable, stop, &mut sampler, request.max_tokens)?
            }
        };
        let bytes = vocabulary.trie().decode(&written.tokens);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) if constrained => return Err(ModelError::Failed("the document is not UTF-8".to_owned())),
            // Free text may be cut inside a character: that character is dropped.
            Err(error) => String::from_utf8_lossy(error.as_bytes())
                .trim_end_matches(char::REPLACEMENT_CHARACTER)
                .to_owned(),
        };
        Ok(Generated {
            text,
            prompt_tokens,
            output_tokens: written.tokens.len(),
            forced_tokens: written.forced,
            truncated: written.truncated,
            millis: millis(started),
        })
    }

    pub(crate) fn score(&mut self, request: &ScoreRequest, wanted: Wanted<'_>) -> Result<Scored, ModelError> {
        let started = Instant::now();
        let answers = self.first_tokens(&request.answers)?;
        if !request.shared.ends_with('\n')
            || !(request.preamble.is_empty() || request.preamble.ends_with('\n'))
        {
            return Err(ModelError::BadRequest("what is shared must end with a newline".to_owned()));
        }
        let prompts = request
            .questions
            .iter()
            .map(|question| {
                self.vocabulary.shared_prompt(&request.system, &request.preamble, &request.shared, question)
            })
            .collect::<Result<Vec<_>, _>>()?;
        for prompt in &prompts {
            self.check_context(prompt, 0)?;
        }
        let mut prefilled_tokens = 0;
        let mut scores = Vec::with_capacity(prompts.len());
        for prompt in &prompts {
            // The first question reads the shared prefix; for the others it is still in the cache.
            let (state, computed) = self.prefill(prompt, wanted)?;
            prefilled_tokens += computed;
            let logits = self.model.logits(&state).map_err(kernel)?;
            let logits: Vec<f32> =
                answers.iter().filter_map(|token| logits.get(*token as usize).copied()).collect();
            scores.push(Score { p_first: softmax_first(&logits), logits: Some(logits), said: None });
        }
        let prefix = |prompt: &Vec<Vec<u32>>| prompt.iter().rev().skip(1).map(Vec::len).sum();
        let prefix_tokens = prompts.first().map_or(0, prefix);
        Ok(Scored { scores, prefix_tokens, prefilled_tokens, millis: millis(started) })
    }

    /// The first token of each answer; they are what is compared, so they must differ.
    fn first_tokens(&self, answers: &[String]) -> Result<Vec<u32>, ModelError> {
        let mut first = Vec::with_capacity(answers.len());
        for answer in answers {
            let token = self.vocabulary.encode(answer)?.first().copied();
            let token = token.ok_or_else(|| ModelError::BadRequest("an answer is empty".to_owned()))?;
            if first.contains(&token) {
                return Err(ModelError::BadRequest(format!("the answers {answers:?} share a first token")));
            }
            first.push(token);
        }
        if first.len() < 2 {
            return Err(ModelError::BadRequest("at least two answers are compared".to_owned()));
        }
        Ok(first)
    }

    fn check_context(&self, segments: &[Vec<u32>], answer: usize) -> Result<usize, ModelError> {
        let prompt: usize = segments.iter().map(Vec::len).sum();
        let context = self.model.context();
        if prompt.saturating_add(answer) > context {
            let why =
                format!("a prompt of {prompt} tokens and {answer} to write exceed the context of {context}");
            return Err(ModelError::BadRequest(why));
        }
        Ok(prompt)
    }

    /// Reads a prompt; returns its last hidden state and how many tokens had to be computed.
    ///
    /// The calls are cut at the same places whatever the cache holds: at every segment's end and
    /// every [`CHUNK`] tokens within. Leading calls the cache already holds, with the same tokens
    /// and the same cuts, are not repeated; so the result is bit for bit that of an empty cache.
    fn prefill(&mut self, segments: &[Vec<u32>], wanted: Wanted<'_>) -> Result<(Tensor, usize), ModelError> {
        let tokens: Vec<u32> = segments.concat();
        let ends = call_ends(segments);
        let reused = ends.iter().zip(&self.ends).take_while(|(new, old)| new == old).count();
        let reused = reused.min(ends.len().saturating_sub(1));
        let same = |calls: usize| calls == 0 || tokens[..ends[calls - 1]] == self.read[..ends[calls - 1]];
        let reused = (0..=reused).rev().find(|calls| same(*calls)).unwrap_or(0);
        let mut start = if reused == 0 { 0 } else { ends[reused - 1] };
        self.cache.truncate(start);
        self.read.truncate(start);
        self.ends.truncate(reused);
        let computed = tokens.len() - start;
        let mut state = None;
        for &end in &ends[reused..] {
            if !wanted() {
                return Err(abandoned());
            }
            if self.cache.len() != start {
                return Err(ModelError::Failed(format!(
                    "the cache holds {} of {start} positions",
                    self.cache.len()
                )));
            }
            state = Some(self.model.forward(&tokens[start..end], &mut self.cache).map_err(kernel)?);
            self.read.extend(&tokens[start..end]);
            self.ends.push(end);
            start = end;
        }
        let state = state.ok_or_else(|| ModelError::BadRequest("the prompt is empty".to_owned()))?;
        Ok((state, computed))
    }

    /// Forgets what was read, as if freshly loaded.
    #[cfg(test)]
    pub(crate) fn forget(&mut self) {
        self.cache.truncate(0);
        self.read.clear();
        self.ends.clear();
    }
}

/// Where the calls that read these segments end.
fn call_ends(segments: &[Vec<u32>]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    for segment in segments {
        let end = start + segment.len();
        ends.extend((start..end).step_by(CHUNK).skip(1));
        if end > start {
            ends.push(end);
        }
        start = end;
    }
    ends
}

/// Feeds written tokens back into the model.
struct Reader<'a> {
    model: &'a Model,
    cache: &'a mut KvCache,
    wanted: Wanted<'a>,
}

impl LogitsSource for Reader<'_> {
    fn feed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        if !(self.wanted)() {
            return Err(abandoned());
        }
        let state = self.model.forward(tokens, self.cache).map_err(kernel)?;
        self.model.logits(&state).map_err(kernel)
    }
}

/// Probability of the first of several logits among them.
pub(crate) fn softmax_first(logits: &[f32]) -> Option<f64> {
    let first = f64::from(*logits.first()?);
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - first).exp()).sum();
    let probability = 1.0 / total;
    probability.is_finite().then_some(probability)
}

fn kernel(error: candle_core::Error) -> ModelError {
    ModelError::Failed(error.to_string())
}

fn abandoned() -> ModelError {
    ModelError::Failed("nobody waits for the answer any more".to_owned())
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
