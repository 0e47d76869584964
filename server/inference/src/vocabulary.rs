//! A model's tokens: text to ids and back, and the line between instructions and data.
//!
//! Only [`Vocabulary::prompt`] and [`Vocabulary::shared_prompt`] place special tokens. Text handed
//! in is always encoded as plain text: `<|im_end|>` inside a log line stays ordinary tokens.

use std::sync::Arc;

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use concord_domain::ports::ModelError;
use llguidance::toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use crate::gguf::{Gguf, LoadError};

/// Upper bound of a vocabulary: a lying count must not become an allocation.
const MAX_TOKENS: usize = 1 << 19;

/// Token types of GGUF files.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// A tokenizer, the trie constrained decoding walks, and the ids of the chat template.
pub(crate) struct Vocabulary {
    tokenizer: Tokenizer,
    env: TokEnv,
    special: Vec<bool>,
    turn_start: u32,
    turn_end: u32,
    stop: Vec<u32>,
}

impl Vocabulary {
    pub(crate) fn from_gguf(file: &Gguf) -> Result<Self, LoadError> {
        let tokens = file.value("tokenizer.ggml.tokens")?.to_vec()?;
        let types = file.value("tokenizer.ggml.token_type")?.to_vec()?;
        if tokens.len() != types.len() || tokens.len() > MAX_TOKENS {
            return Err(LoadError(format!("{} tokens with {} types", tokens.len(), types.len())));
        }
        let tokens: Vec<&str> =
            tokens.iter().map(|token| Ok(token.to_string()?.as_str())).collect::<Result<_, LoadError>>()?;
        let types: Vec<i64> = types.iter().map(integer).collect::<Result<_, _>>()?;

        let mut tokenizer = Tokenizer::from_gguf(&file.content)?;
        if file.text("tokenizer.ggml.pre").is_ok_and(|pre| pre == "smollm") {
            tokenizer.with_pre_tokenizer(Some(smollm_pre_tokenizer()));
        }
        tokenizer.set_encode_special_tokens(true);

        let find = |text: &str| tokens.iter().position(|token| *token == text).map(|id| id as u32);
        let chat = |text: &str| find(text).ok_or_else(|| LoadError(format!("the vocabulary lacks {text}")));
        let (turn_start, turn_end) = (chat("<|im_start|>")?, chat("<|im_end|>")?);
        let mut stop = vec![turn_end];
        stop.extend(find("<|endoftext|>"));

        let words: Vec<Vec<u8>> =
            tokens.iter().zip(&types).map(|(token, kind)| bytes_of(token, *kind)).collect();
        let info = TokRxInfo::new(words.len() as u32, turn_end);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&stop);
        let special = types.iter().map(|kind| !matches!(*kind, NORMAL | BYTE)).collect();
        let env: TokEnv = Arc::new(Env { trie, tokenizer: tokenizer.clone() });
        Ok(Self { tokenizer, env, special, turn_start, turn_end, stop })
    }

    /// What llguidance needs to know of the tokens.
    pub(crate) fn env(&self) -> &TokEnv {
        &self.env
    }

    pub(crate) fn trie(&self) -> &TokTrie {
        self.env.tok_trie()
    }

    /// Tokens that end an answer.
    pub(crate) fn stop(&self) -> &[u32] {
        &self.stop
    }

    /// Whether a token is a control token, an unused one or the like: never part of an answer.
    pub(crate) fn is_special(&self, token: u32) -> bool {
        self.special.get(token as usize).copied().unwrap_or(true)
    }

    /// Encodes text; no special token ever comes out of it.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoded = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|error| ModelError::BadRequest(format!("the text cannot be tokenised: {error}")))?;
        let ids = encoded.get_ids().to_vec();
        match ids.iter().find(|id| self.is_special(**id)) {
            // Guards the line between instructions and data against a tokenizer's surprise.
            Some(id) => Err(ModelError::BadRequest(format!("data became the control token {id}"))),
            None => Ok(ids),
        }
    }

    /// Instructions and data as ChatML, in the segments they are prefilled in.
    pub(crate) fn prompt(&self, system: &str, user: &str) -> Result<Vec<Vec<u32>>, ModelError> {
        Ok(vec![self.opening(system)?, self.ending(user)?])
    }

    /// As [`prompt`](Self::prompt), with the user turn split where requests and questions begin to differ. The
    /// parts are encoded apart, always: quantised weights answer differently when the same
    /// text is read in other pieces.
    pub(crate) fn shared_prompt(
        &self,
        system: &str,
        preamble: &str,
        shared: &str,
        question: &str,
    ) -> Result<Vec<Vec<u32>>, ModelError> {
        let user = [self.encode(preamble)?, self.encode(shared)?, self.ending(question)?];
        Ok([self.opening(system)?].into_iter().chain(user).collect())
    }

    fn opening(&self, system: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = vec![self.turn_start];
        ids.extend(self.encode(&format!("system\n{system}"))?);
        ids.push(self.turn_end);
        ids.extend(self.encode("\n")?);
        ids.push(self.turn_start);
        ids.extend(self.encode("user\n")?);
        Ok(ids)
    }

    fn ending(&self, user: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.encode(user)?;
        ids.push(self.turn_end);
        ids.extend(self.encode("\n")?);
        ids.push(self.turn_start);
        ids.extend(self.encode("assistant\n")?);
        Ok(ids)
    }
}

struct Env {
    trie: TokTrie,
    tokenizer: Tokenizer,
}

impl TokenizerEnv for Env {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            self.tokenizer.encode_fast(text, false).map_or_else(
                |_| self.trie.greedy_tokenize(text.as_bytes()),
                |encoded| encoded.get_ids().to_vec(),
            )
        })
    }
}

/// What candle's reader of GGUF tokenizers does not know: SmolLM splits digits one by one.
fn smollm_pre_tokenizer() -> PreTokenizerWrapper {
    let parts = vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()];
    PreTokenizerWrapper::Sequence(Sequence::new(parts))
}

fn integer(value: &Value) -> Result<i64, LoadError> {
    match value {
        Value::I32(number) => Ok(i64::from(*number)),
        other => Ok(i64::try_from(other.to_u64()?).unwrap_or(0)),
    }
}

/// The bytes a token stands for; none for a token that must never be written.
fn bytes_of(token: &str, kind: i64) -> Vec<u8> {
    match kind {
        NORMAL | BYTE => token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_default(),
        CONTROL | USER_DEFINED => [&[TokTrie::SPECIAL_TOKEN_MARKER], token.as_bytes()].concat(),
        _ => Vec::new(),
    }
}

/// Undoes GPT-2's map of bytes to printable characters.
fn byte_of(symbol: char) -> Option<u8> {
    let code = symbol as u32;
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        // The other 68 bytes, in order, follow from U+0100.
        0x100..=0x143 => (0..=255u8)
            .filter(|byte| !matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff))
            .nth(code as usize - 0x100),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_symbol() {
        let mut bytes: Vec<u8> = (0..0x200).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
    }
}
