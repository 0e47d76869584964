//! Finds the few tokens that end a half-written document validly.
//!
//! The way out is the same from everywhere: end the string, the object, the list; where the schema
//! still wants something, give it the least it accepts. Asking the matcher about single tokens is
//! much cheaper than computing masks, so a mask is computed only where none of the usual bytes fits
//! (inside an enum's value or a half-written character).

use concord_domain::ports::ModelError;
use llguidance::Matcher;
use llguidance::toktrie::TokTrie;

/// The usual bytes on the way out, in the order they are tried.
const WAY_OUT: &[u8] = b"]}\",:0123456789";

/// Closes documents of one vocabulary.
pub(crate) struct Closer<'a> {
    trie: &'a TokTrie,
    way_out: Vec<u32>,
    plain: Vec<u32>,
    /// Runs of dots, the longest first: what a string too short for its schema is filled up with.
    filler: Vec<u32>,
    quote: Option<u32>,
}

impl<'a> Closer<'a> {
    pub(crate) fn new(trie: &'a TokTrie) -> Self {
        let tokens = |bytes: &[u8]| bytes.iter().filter_map(|byte| trie.token_id(&[*byte])).collect();
        let runs = [16, 8, 4, 2, 1].map(|dots| ".".repeat(dots));
        Self {
            trie,
            way_out: tokens(WAY_OUT),
            plain: tokens(b".Z"),
            filler: runs.iter().filter_map(|run| trie.token_id(run.as_bytes())).collect(),
            quote: trie.token_id(b"\""),
        }
    }

    /// Tokens that finish the document from where `matcher` stands; `None` when they would be more
    /// than `limit`.
    pub(crate) fn close(&self, matcher: &Matcher, limit: usize) -> Result<Option<Vec<u32>>, ModelError> {
        let mut matcher = matcher.clone();
        let mut tokens = Vec::new();
        loop {
            tokens.extend(matcher.consume_ff_tokens());
            if finished(&mut matcher)? {
                return Ok((tokens.len() <= limit).then_some(tokens));
            }
            if tokens.len() >= limit {
                return Ok(None);
            }
            let token = self.step(&mut matcher)?;
            matcher.consume_token(token).map_err(failed)?;
            tokens.push(token);
        }
    }

    fn step(&self, matcher: &mut Matcher) -> Result<u32, ModelError> {
        // Brackets are ordinary text inside a string, so it must be known whether this is one:
        // only there both of two plain characters fit.
        let mut in_string = !self.plain.is_empty();
        for token in &self.plain {
            in_string = in_string && fits(matcher, *token)?;
        }
        if in_string {
            for token in self.quote.iter().chain(&self.filler) {
                if fits(matcher, *token)? {
                    return Ok(*token);
                }
            }
        }
        for token in &self.way_out {
            if fits(matcher, *token)? {
                return Ok(*token);
            }
        }
        self.through_mask(matcher)
    }

    /// The longest allowed piece that opens nothing; of a half-written character, the next byte.
    fn through_mask(&self, matcher: &mut Matcher) -> Result<u32, ModelError> {
        let mask = matcher.compute_mask_or_eos().map_err(failed)?;
        let cost = |token: u32| {
            let bytes = self.trie.token(token);
            let opens = bytes.iter().any(|byte| b"\"{[,".contains(byte));
            let half = bytes.first().is_some_and(|byte| *byte >= 0x80);
            (opens, if half { bytes.len() as isize } else { -(bytes.len() as isize) })
        };
        let best = mask.iter().min_by_key(|token| cost(*token));
        best.ok_or_else(|| ModelError::Failed("no token goes on with this document".to_owned()))
    }
}

/// Whether the document is complete and nothing more may follow.
pub(crate) fn finished(matcher: &mut Matcher) -> Result<bool, ModelError> {
    if let Some(error) = matcher.get_error() {
        return Err(ModelError::Failed(format!("constrained decoding: {error}")));
    }
    Ok(matcher.is_stopped() || matcher.is_accepting().map_err(failed)?)
}

fn fits(matcher: &mut Matcher, token: u32) -> Result<bool, ModelError> {
    Ok(matcher.validate_tokens(&[token]).map_err(failed)? == 1)
}

/// An error of the matcher, as ours.
pub(crate) fn failed(error: impl std::fmt::Display) -> ModelError {
    ModelError::Failed(format!("constrained decoding: {error}"))
}
