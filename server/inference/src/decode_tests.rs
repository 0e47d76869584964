//! Thousands of documents out of random logits: each must parse, satisfy its schema and keep its limit.

use std::sync::Arc;

use llguidance::toktrie::{TokEnv, TokRxInfo, TokenId, TokenizerEnv};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::*;
use crate::grammar::Grammars;
use crate::validate::validates;

const DOCUMENTS: u64 = 10_000;

/// Every byte, fragments of characters, words, and pieces that span several parts of a document.
fn small_vocabulary() -> TokEnv {
    let mut words: Vec<Vec<u8>> = vec![b"\xff<|end|>".to_vec(), b"\xff<|im_end|>".to_vec()];
    words.extend((0..=255u8).map(|byte| vec![byte]));
    let pieces = "\",\" \":\" \"} \"}] {\" [{\" \":[ ]} ]}] }, },{\" \"]} \",\"reason\":\" \",\"evidence\":[ {\"tag\":\" 12 34 1, ,2 \
        tag reason evidence pass fail passed ok good a. .. \\n \\\" \\\\ 的 用户 喜欢 é ü 😀 true false null <|im_end|>";
    words.extend(pieces.split_whitespace().map(|piece| piece.as_bytes().to_vec()));
    for character in ["的", "户", "😀", "é"] {
        let bytes = character.as_bytes();
        words.extend((2..bytes.len()).map(|end| bytes[..end].to_vec()));
        words.extend((1..bytes.len() - 1).map(|start| bytes[start..].to_vec()));
    }
    words.extend(["a的", "b\u{1f600}", " the", " of", "xyz"].map(|word| word.as_bytes().to_vec()));
    words.sort();
    words.dedup();
    let end = words.iter().position(|word| word == b"\xff<|im_end|>").unwrap() as u32;
    let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, end), &words);
    Arc::new(Greedy(trie))
}

/// Tokenises by the longest piece.
struct Greedy(TokTrie);

impl TokenizerEnv for Greedy {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(bytes)
    }
}

fn schemas() -> Vec<Value> {
    let evidence = json!({
        "type": "array", "minItems": 1, "maxItems": 5,
        "items": {"type": "integer", "minimum": 1, "maximum": 99}
    });
    vec![
        json!({
            "type": "object",
            "properties": {"tags": {"type": "array", "minItems": 1, "maxItems": 6, "items": {
                "type": "object",
                "properties": {
                    "tag": {"type": "string", "minLength": 1, "maxLength": 12},
                    "reason": {"type": "string", "maxLength": 60},
                    "evidence": evidence
                },
                "required": ["tag", "reason", "evidence"]
            }}},
            "required": ["tags"]
        }),
        json!({
            "type": "object",
            "properties": {
                "verdict": {"enum": ["pass", "passed", "fail", "不通过", "a]}b", "Z.Z"]},
                "score": {"type": "integer", "minimum": -20, "maximum": 1500},
                "sure": {"type": "boolean"},
                "note": {"type": ["string", "null"], "minLength": 5, "maxLength": 20},
                "why": {"type": "string", "minLength": 3, "maxLength": 30}
            },
            "required": ["verdict", "score"]
        }),
        json!({
            "type": "array", "minItems": 2, "maxItems": 4,
            "items": {"type": "array", "maxItems": 3, "items": {"const": "]\"}的"}}
        }),
        json!({
            "type": "object",
            "properties": {
                "解释": {"type": "string", "minLength": 8, "maxLength": 40},
                "items": {"type": "array", "maxItems": 8, "items": {"anyOf": [
                    {"type": "integer", "minimum": 100, "maximum": 105},
                    {"enum": [null, true, "x"]},
                    {"type": "object", "properties": {"k": {"type": "string", "maxLength": 2}}, "required": ["k"]}
                ]}}
            },
            "required": ["解释", "items"]
        }),
        json!({"type": "object", "properties": {}}),
    ]
}

/// Random logits; some rounds favour fragments of characters, long pieces, or never closing.
struct Noise<'a> {
    random: ChaCha8Rng,
    trie: &'a TokTrie,
    mood: u64,
}

impl Noise<'_> {
    fn logits(&mut self) -> Vec<f32> {
        (0..self.trie.vocab_size() as u32)
            .map(|token| {
                let bytes = self.trie.token(token);
                let taste = match self.mood {
                    1 if bytes.iter().any(|byte| *byte >= 0x80) => 3.0,
                    2 => bytes.len() as f32,
                    3 if bytes.iter().any(|byte| b"\"]}".contains(byte)) => -6.0,
                    4 if bytes.iter().any(|byte| b"\\,{[".contains(byte)) => 3.0,
                    _ => 0.0,
                };
                taste + self.random.random::<f32>() * 4.0
            })
            .collect()
    }
}

#[test]
fn ten_thousand_random_documents_are_valid_within_their_limits() {
    let env = small_vocabulary();
    let trie = env.tok_trie();
    let schemas = schemas();
    let (mut written, mut refused, mut truncated, mut longest) = (0, 0, 0, 0);
    let mut grammars = Grammars::new(&env).unwrap();
    let mut shortest = vec![usize::MAX; schemas.len()];
    for seed in 0..DOCUMENTS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let which = (seed % schemas.len() as u64) as usize;
        // Two rounds of three are tight.
        let limit = if seed % 3 == 0 { random.random_range(40..240) } else { random.random_range(1..60) };
        let grammar = grammars.begin(&schemas[which]).unwrap();
        if let Err(error) = check_limit(trie, &grammar, limit) {
            assert!(matches!(error, ModelError::BadRequest(_)), "{error}");
            assert!(limit < shortest[which], "limit {limit} fitted before");
            refused += 1;
            continue;
        }
        shortest[which] = shortest[which].min(limit);
        let sampler = Sampler::new(if seed % 2 == 0 { 0.0 } else { 0.8 }, seed);
        let mut noise = Noise { random, trie, mood: seed / 7 % 5 };
        let mut writer = Writer::document(&env, grammar, sampler, limit);
        let mut next = writer.begin().unwrap();
        while next != Next::Done {
            next = writer.next(&noise.logits()).unwrap();
        }
        let document = writer.written();
        assert!(document.tokens.len() <= limit, "{} of {limit}", document.tokens.len());
        let text = String::from_utf8(trie.decode(&document.tokens)).unwrap();
        let value: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{seed}: {error}: {text}"));
        assert!(validates(&schemas[which], &value), "{seed}: {text}");
        written += 1;
        truncated += usize::from(document.truncated);
        longest = longest.max(document.tokens.len());
    }
    eprintln!("{written} documents, {truncated} closed early, {refused} refused, longest {longest} tokens");
    assert!(written > 5_000 && truncated > 1_000 && longest > 150);
}
