//! Writes `models/tiny/tiny.gguf`: a llama of random weights for tests of the real code path.
//!
//!     cargo run -p concord-inference --example make_tiny [FILE]
//!
//! It writes nonsense; constrained decoding makes the nonsense valid JSON. The numbers are drawn
//! from a fixed seed. One trick: the first coordinate of the residual stream is a constant that no
//! layer writes to, so the output matrix's first column acts as a bias per token. It keeps written
//! strings short and printable.

use std::path::PathBuf;

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const HIDDEN: usize = 64;
const FEED: usize = 128;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const LAYERS: usize = 2;

const WORDS: &str = "the of and to in is for with on that it as this by from user item tag title because \
    likes bought recently viewed outdoor camping coffee tea running shoes winter warm light home kitchen book \
    travel music photo garden sport baby cat dog phone desk lamp quiet gift summer rain hiking cooking health \
    work study fresh new small large good recommend reason evidence interest history season style price Yes No \
    pass fail true false null";
const CHARACTERS: &str = "的一是不了在人有我他这中大来上个国用户喜欢最近购买浏览商品标签解释推荐因为所以适合冬季夏天户外露营咖啡茶跑步鞋\
    家居厨房书旅行音乐摄影园运动母婴猫狗手机轻便保暖新鲜好看通过否";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny/tiny.gguf");
    let path = std::env::args_os().nth(1).map_or(default, PathBuf::from);
    let vocabulary = Vocabulary::build();
    let count = vocabulary.tokens.len();
    let mut random = ChaCha8Rng::seed_from_u64(20_251_122);

    let mut embedding = normal(&mut random, count * HIDDEN, 1.0);
    embedding.chunks_mut(HIDDEN).for_each(|row| row[0] = 4.0);
    let mut output = normal(&mut random, count * HIDDEN, 0.35);
    for (row, token) in output.chunks_mut(HIDDEN).zip(&vocabulary.tokens) {
        row[0] = bias(token);
    }
    let mut tensors = vec![
        ("token_embd.weight".to_owned(), matrix(embedding, count, HIDDEN)?),
        ("output.weight".to_owned(), matrix(output, count, HIDDEN)?),
        ("output_norm.weight".to_owned(), ones()?),
    ];
    for layer in 0..LAYERS {
        let kv = HIDDEN / HEADS * KV_HEADS;
        for (name, rows, columns) in [
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", kv, HIDDEN),
            ("attn_v", kv, HIDDEN),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", FEED, HIDDEN),
            ("ffn_up", FEED, HIDDEN),
            ("ffn_down", HIDDEN, FEED),
        ] {
            let mut weights = normal(&mut random, rows * columns, 1.0 / (columns as f32).sqrt());
            if matches!(name, "attn_output" | "ffn_down") {
                weights[..columns].fill(0.0);
            }
            tensors.push((format!("blk.{layer}.{name}.weight"), matrix(weights, rows, columns)?));
        }
        tensors.push((format!("blk.{layer}.attn_norm.weight"), ones()?));
        tensors.push((format!("blk.{layer}.ffn_norm.weight"), ones()?));
    }

    let text = |text: &str| Value::String(text.to_owned());
    let texts = |texts: &[String]| Value::Array(texts.iter().map(|item| text(item)).collect());
    let metadata = [
        ("general.architecture", text("llama")),
        ("general.name", text("Concord tiny: random weights")),
        ("general.license", text("apache-2.0")),
        ("llama.embedding_length", Value::U32(HIDDEN as u32)),
        ("llama.block_count", Value::U32(LAYERS as u32)),
        ("llama.feed_forward_length", Value::U32(FEED as u32)),
        ("llama.attention.head_count", Value::U32(HEADS as u32)),
        ("llama.attention.head_count_kv", Value::U32(KV_HEADS as u32)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.context_length", Value::U32(16_384)),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.tokens", texts(&vocabulary.tokens)),
        (
            "tokenizer.ggml.token_type",
            Value::Array(vocabulary.types.iter().map(|kind| Value::I32(*kind)).collect()),
        ),
        ("tokenizer.ggml.merges", texts(&vocabulary.merges)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ];
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    write(&mut file, &metadata, &tensors)?;
    println!("wrote {} with {count} tokens", path.display());
    Ok(())
}

/// Byte-level tokens, with the merges that make words and characters out of bytes.
struct Vocabulary {
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
}

impl Vocabulary {
    fn build() -> Self {
        let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        let mut built = Self {
            tokens: control.iter().map(|token| (*token).to_owned()).collect(),
            types: vec![3; control.len()],
            merges: Vec::new(),
        };
        (0..=255).for_each(|byte| built.add(symbol(byte).to_string()));
        for word in WORDS.split_whitespace() {
            built.chain(&format!(" {word}"));
            built.chain(word);
        }
        for dots in ["..", "....", "........", "................"] {
            let half = &dots[dots.len() / 2..];
            built.merges.push(format!("{half} {half}"));
            built.add(dots.to_owned());
        }
        let characters = CHARACTERS.chars().filter(|character| !character.is_whitespace());
        characters.for_each(|character| built.chain(&character.to_string()));
        built
    }

    /// Merges a piece from the left, one byte at a time.
    fn chain(&mut self, piece: &str) {
        let mut left = String::new();
        for byte in piece.bytes() {
            let right = symbol(byte);
            if !left.is_empty() {
                let merge = format!("{left} {right}");
                if !self.merges.contains(&merge) {
                    self.merges.push(merge);
                    self.add(format!("{left}{right}"));
                }
            }
            left.push(right);
        }
    }

    fn add(&mut self, token: String) {
        self.tokens.push(token);
        self.types.push(1);
    }
}

/// GPT-2's printable stand-in for a byte.
fn symbol(byte: u8) -> char {
    let plain = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if plain(&byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|byte| !plain(byte)).count() as u32;
    char::from_u32(0x100 + place).unwrap_or('?')
}

/// How readily a token is written, whatever the context.
fn bias(token: &str) -> f32 {
    let word = token.trim_start_matches('Ġ');
    if token == "\"" {
        3.6
    } else if word.len() > 1 && WORDS.split_whitespace().any(|known| known == word) {
        // With its space in front, or words would run together.
        if token == word { 0.0 } else { 1.2 }
    } else if CHARACTERS.chars().any(|character| stand_in(character) == token) {
        0.5
    } else if token.len() == 1
        && token.chars().all(|symbol| symbol.is_ascii_digit() || "{}[],:".contains(symbol))
    {
        0.0
    } else {
        // Control characters, halves of characters, escapes, pieces of words.
        -8.0
    }
}

fn stand_in(character: char) -> String {
    character.to_string().bytes().map(symbol).collect()
}

fn normal(random: &mut ChaCha8Rng, count: usize, scale: f32) -> Vec<f32> {
    // Twelve uniform numbers less six are near enough to normal, and the same on every machine.
    (0..count).map(|_| ((0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0) * scale).collect()
}

fn matrix(weights: Vec<f32>, rows: usize, columns: usize) -> candle_core::Result<QTensor> {
    QTensor::quantize(&Tensor::from_vec(weights, (rows, columns), &Device::Cpu)?, GgmlDType::Q8_0)
}

fn ones() -> candle_core::Result<QTensor> {
    QTensor::quantize(&Tensor::ones(HIDDEN, candle_core::DType::F32, &Device::Cpu)?, GgmlDType::F32)
}
