//! Writing one answer: mask, sample, feed back; and close the document before the limit.
//!
//! A [`Writer`] never waits for the model: it says which tokens are to be read next and takes the logits behind them,
//! so that many answers can be written in turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use concord_domain::ports::ModelError;
use llguidance::toktrie::{SimpleVob, TokEnv, TokTrie};

use crate::closing::{Closer, failed, finished};
use crate::grammar::Grammar;
use crate::sampler::Sampler;

/// What was written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) tokens: Vec<u32>,
    /// Of these, tokens the grammar or the limit left no choice about.
    pub(crate) forced: usize,
    /// The limit was reached.
    pub(crate) truncated: bool,
    /// Time spent on the grammar's masks, and how many they were.
    pub(crate) masking: Duration,
    pub(crate) masks: usize,
}

/// What a writer needs next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// These tokens are to be read, and the logits behind them brought; none at the very start, where the logits
    /// behind the prompt are wanted.
    Read(Vec<u32>),
    /// Nothing: the answer is complete.
    Done,
}

/// An answer that is being written.
pub(crate) struct Writer {
    env: TokEnv,
    kind: Kind,
    sampler: Sampler,
    limit: usize,
    written: Written,
}

enum Kind {
    Document {
        grammar: Box<Grammar>,
        /// The tokens that would close the document here; known whenever the limit is near.
        way_out: Option<Vec<u32>>,
    },
    Text {
        allowed: Arc<SimpleVob>,
        stop: Vec<u32>,
    },
}

/// Refuses a limit that not even the shortest document of the schema fits, before any compute.
pub(crate) fn check_limit(trie: &TokTrie, grammar: &Grammar, limit: usize) -> Result<(), ModelError> {
    match Closer::new(trie).close(&grammar.matcher, limit)? {
        Some(_) => Ok(()),
        None => {
            let why = format!("the shortest document of the schema does not fit {limit} tokens");
            Err(ModelError::BadRequest(why))
        }
    }
}

impl Writer {
    /// Writes one document that satisfies the grammar in at most `limit` tokens.
    pub(crate) fn document(env: &TokEnv, grammar: Grammar, sampler: Sampler, limit: usize) -> Self {
        let kind = Kind::Document { grammar: Box::new(grammar), way_out: None };
        Self { env: env.clone(), kind, sampler, limit, written: Written::default() }
    }

    /// Writes free text until the model ends its turn or the limit is reached.
    pub(crate) fn text(
        env: &TokEnv,
        allowed: Arc<SimpleVob>,
        stop: &[u32],
        sampler: Sampler,
        limit: usize,
    ) -> Self {
        let kind = Kind::Text { allowed, stop: stop.to_vec() };
        Self { env: env.clone(), kind, sampler, limit, written: Written::default() }
    }

    /// Tokens that are certain before any logits.
    pub(crate) fn begin(&mut self) -> Result<Next, ModelError> {
        let forced = match &mut self.kind {
            Kind::Document { grammar, .. } => grammar.matcher.consume_ff_tokens(),
            Kind::Text { .. } if self.limit == 0 => {
                self.written.truncated = true;
                return Ok(Next::Done);
            }
            Kind::Text { .. } => Vec::new(),
        };
        self.written.forced += forced.len();
        self.arrive(forced)
    }

    /// Goes on by the logits behind all tokens so far.
    pub(crate) fn next(&mut self, logits: &[f32]) -> Result<Next, ModelError> {
        match self.kind {
            Kind::Document { .. } => self.next_of_document(logits),
            Kind::Text { .. } => self.next_of_text(logits),
        }
    }

    /// What was written.
    pub(crate) fn written(self) -> Written {
        self.written
    }

    /// Whether the rest is close enough to the limit for the way out to be needed. Outside this range whatever comes
    /// next can still be closed: the bound holds for any state.
    fn near(&self, bound: usize) -> (usize, bool) {
        let left = self.limit.saturating_sub(self.written.tokens.len());
        (left, left <= bound.saturating_add(1))
    }

    fn arrive(&mut self, fresh: Vec<u32>) -> Result<Next, ModelError> {
        self.written.tokens.extend(&fresh);
        let bound = match &mut self.kind {
            Kind::Document { grammar, .. } => {
                if finished(&mut grammar.matcher)? {
                    return Ok(Next::Done);
                }
                grammar.closing_bound
            }
            Kind::Text { .. } => return Ok(Next::Read(fresh)),
        };
        let (left, near) = self.near(bound);
        if let Kind::Document { grammar, way_out: way_out @ None } = &mut self.kind
            && near
        {
            let close = Closer::new(self.env.tok_trie()).close(&grammar.matcher, left)?;
            *way_out = Some(close.ok_or_else(|| failed("the document cannot be closed within its limit"))?);
        }
        Ok(Next::Read(fresh))
    }

    fn next_of_document(&mut self, logits: &[f32]) -> Result<Next, ModelError> {
        let Kind::Document { grammar, .. } = &self.kind else {
            return Err(failed("free text has no grammar"));
        };
        let (left, near) = self.near(grammar.closing_bound);
        let Kind::Document { grammar, way_out } = &mut self.kind else {
            return Err(failed("free text has no grammar"));
        };
        let matcher = &mut grammar.matcher;
        let started = Instant::now();
        let mask = matcher.compute_mask_or_eos().map_err(failed)?;
        self.written.masking += started.elapsed();
        self.written.masks += 1;
        let token = self.sampler.pick(logits, &mask).ok_or_else(|| failed("no token is allowed"))?;
        matcher.consume_token(token).map_err(failed)?;
        let forced = matcher.consume_ff_tokens();
        if near {
            let spent = 1 + forced.len();
            let close = match left.checked_sub(spent) {
                Some(rest) => Closer::new(self.env.tok_trie()).close(matcher, rest)?,
                None => None,
            };
            if close.is_none() {
                // This token leads past the limit: take the way out that was known before it.
                let rest = way_out.take().unwrap_or_default();
                self.written.forced += rest.len();
                self.written.tokens.extend(rest);
                self.written.truncated = true;
                return Ok(Next::Done);
            }
            *way_out = close;
        }
        self.written.forced += forced.len();
        let mut fresh = Vec::with_capacity(1 + forced.len());
        fresh.push(token);
        fresh.extend(forced);
        self.arrive(fresh)
    }

    fn next_of_text(&mut self, logits: &[f32]) -> Result<Next, ModelError> {
        let Kind::Text { allowed, stop } = &self.kind else {
            return Err(failed("a document is not free text"));
        };
        let token = self.sampler.pick(logits, allowed).ok_or_else(|| failed("no token is allowed"))?;
        if stop.contains(&token) {
            return Ok(Next::Done);
        }
        if self.written.tokens.len() + 1 >= self.limit {
            self.written.tokens.push(token);
            self.written.truncated = true;
            return Ok(Next::Done);
        }
        self.arrive(vec![token])
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
