//! The decoding loop: mask, sample, feed back; and close the document before the limit.

use concord_domain::ports::ModelError;
use llguidance::toktrie::{SimpleVob, TokTrie};

use crate::closing::{Closer, failed, finished};
use crate::grammar::Grammar;
use crate::sampler::Sampler;

/// Where logits come from: a model, or a test's random numbers.
pub(crate) trait LogitsSource {
    /// Reads tokens and returns the logits of the position behind them.
    fn feed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError>;
}

/// What was written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) tokens: Vec<u32>,
    /// Of these, tokens the grammar or the limit left no choice about.
    pub(crate) forced: usize,
    /// The limit was reached.
    pub(crate) truncated: bool,
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

/// Writes one document that satisfies the grammar in at most `limit` tokens. `logits` are those
/// behind the prompt.
pub(crate) fn write_document(
    source: &mut impl LogitsSource,
    mut logits: Vec<f32>,
    trie: &TokTrie,
    mut grammar: Grammar,
    sampler: &mut Sampler,
    limit: usize,
) -> Result<Written, ModelError> {
    let closer = Closer::new(trie);
    let matcher = &mut grammar.matcher;
    let mut written = Written::default();
    // The tokens that would close the document here; known whenever the limit is near.
    let mut way_out: Option<Vec<u32>> = None;
    let mut fresh = matcher.consume_ff_tokens();
    written.forced += fresh.len();
    loop {
        written.tokens.extend(&fresh);
        if finished(matcher)? {
            return Ok(written);
        }
        let left = limit.saturating_sub(written.tokens.len());
        // Outside this range whatever comes next can still be closed: the bound holds for any state.
        let near = left <= grammar.closing_bound.saturating_add(1);
        if near && way_out.is_none() {
            let close = closer.close(matcher, left)?;
            way_out = Some(close.ok_or_else(|| failed("the document cannot be closed within its limit"))?);
        }
        if !fresh.is_empty() {
            logits = source.feed(&fresh)?;
        }
        let mask = matcher.compute_mask_or_eos().map_err(failed)?;
        let token = sampler.pick(&logits, &mask).ok_or_else(|| failed("no token is allowed"))?;
        matcher.consume_token(token).map_err(failed)?;
        let forced = matcher.consume_ff_tokens();
        if near {
            let spent = 1 + forced.len();
            let close = match left.checked_sub(spent) {
                Some(rest) => closer.close(matcher, rest)?,
                None => None,
            };
            if close.is_none() {
                // This token leads past the limit: take the way out that was known before it.
                let rest = way_out.unwrap_or_default();
                written.forced += rest.len();
                written.tokens.extend(rest);
                written.truncated = true;
                return Ok(written);
            }
            way_out = close;
        }
        written.forced += forced.len();
        fresh = Vec::with_capacity(1 + forced.len());
        fresh.push(token);
        fresh.extend(forced);
    }
}

/// Writes free text until the model ends its turn or the limit is reached.
pub(crate) fn write_text(
    source: &mut impl LogitsSource,
    mut logits: Vec<f32>,
    allowed: &SimpleVob,
    stop: &[u32],
    sampler: &mut Sampler,
    limit: usize,
) -> Result<Written, ModelError> {
    let mut written = Written::default();
    while written.tokens.len() < limit {
        let token = sampler.pick(&logits, allowed).ok_or_else(|| failed("no token is allowed"))?;
        if stop.contains(&token) {
            return Ok(written);
        }
        written.tokens.push(token);
        if written.tokens.len() < limit {
            logits = source.feed(&[token])?;
        }
    }
    written.truncated = true;
    Ok(written)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
