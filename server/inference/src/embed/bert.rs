//! BERT embedders on our kernels: mean of the last hidden states over the tokens, scaled to length 1.
//!
//! The tokens of many texts go through the model as rows of one pass, without padding.

use std::path::Path;

use concord_domain::ports::{EmbedKind, ModelError};
use concord_kernels::{
    Activations, BLOCK, Format, KvBlock, Matrix, Output, Pool, Query, add_rows, attend, gelu_rows,
    layer_norm_rows, multiply,
};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use tokenizers::{Tokenizer, TruncationParams};

use super::{Encode, kernel};
use crate::gguf::LoadError;

/// Tokens that go through the model together.
const ROWS: usize = 512;

/// Longest text in tokens; the rest of a longer one is not read.
const LONGEST: usize = 512;

/// The shape of a BERT, by the names of its `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Shape {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f32,
}

/// Where a BERT's weights come from.
pub(super) trait Weights {
    fn matrix(&self, pool: &mut Pool, name: &str, rows: usize, columns: usize) -> Result<Matrix, LoadError>;
    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError>;
}

/// A BERT with its tokenizer.
pub(super) struct Bert {
    tokenizer: Tokenizer,
    /// Put before queries and before passages; e5 was trained with them.
    prefixes: [&'static str; 2],
    shape: Shape,
    words: Matrix,
    positions: Vec<f32>,
    kind: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    pool: Pool,
    rounded: Activations,
    blocks: Vec<KvBlock>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

struct Linear {
    weight: Matrix,
    bias: Vec<f32>,
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Loads safetensors with a `tokenizer.json` and a `config.json`.
pub(super) fn load(weights: &Path, tokenizer: &Path, config: &Path, pool: Pool) -> Result<Bert, LoadError> {
    let failed = |error: &dyn std::fmt::Display| LoadError(error.to_string());
    let shape: Shape = serde_json::from_slice(&std::fs::read(config)?).map_err(|error| failed(&error))?;
    let bytes = std::fs::read(weights)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| failed(&error))?;
    let tokenizer = Tokenizer::from_file(tokenizer).map_err(|error| failed(&error))?;
    Bert::new(&file, tokenizer, shape, ["", ""], pool)
}

impl Weights for SafeTensors<'_> {
    fn matrix(&self, pool: &mut Pool, name: &str, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let data = floats(self, name, &[rows, columns])?;
        Matrix::pack(pool, Format::F32, data, rows, columns)
            .map_err(|error| LoadError(format!("{name}: {error}")))
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let shape = self.tensor(name).map_err(|error| LoadError(error.to_string()))?.shape().to_vec();
        if shape.iter().product::<usize>() != length {
            return Err(LoadError(format!("{name} has the shape {shape:?}, expected {length} numbers")));
        }
        let bytes = floats(self, name, &shape)?.chunks_exact(4);
        Ok(bytes.map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect())
    }
}

fn floats<'a>(file: &'a SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<&'a [u8], LoadError> {
    let tensor = file.tensor(name).map_err(|error| LoadError(error.to_string()))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        let (dtype, found) = (tensor.dtype(), tensor.shape());
        return Err(LoadError(format!("{name} is {dtype:?} {found:?}, expected F32 {shape:?}")));
    }
    Ok(tensor.data())
}

impl Bert {
    /// Puts the parts together, and sets the tokenizer up for rows, whatever its file said.
    pub(super) fn new(
        weights: &dyn Weights,
        mut tokenizer: Tokenizer,
        shape: Shape,
        prefixes: [&'static str; 2],
        mut pool: Pool,
    ) -> Result<Self, LoadError> {
        let Shape { hidden_size: hidden, num_attention_heads: heads, .. } = shape;
        if heads == 0 || !hidden.is_multiple_of(heads) || !(hidden / heads).is_multiple_of(16) {
            return Err(LoadError(format!("{heads} heads and a width of {hidden} do not fit")));
        }
        let longest = shape.max_position_embeddings.min(LONGEST);
        let truncation = TruncationParams { max_length: longest, ..Default::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| LoadError(error.to_string()))?;
        tokenizer.with_padding(None);
        let norm = |name: &str| -> Result<Norm, LoadError> {
            let weight = weights.vector(&format!("{name}.weight"), hidden)?;
            Ok(Norm { weight, bias: weights.vector(&format!("{name}.bias"), hidden)? })
        };
        let embedding = |name: &str| format!("embeddings.{name}.weight");
        let words = weights.matrix(&mut pool, &embedding("word_embeddings"), shape.vocab_size, hidden)?;
        let places = shape.max_position_embeddings * hidden;
        let positions = weights.vector(&embedding("position_embeddings"), places)?;
        let mut kind = weights.vector(&embedding("token_type_embeddings"), shape.type_vocab_size * hidden)?;
        kind.truncate(hidden);
        let layers = (0..shape.num_hidden_layers)
            .map(|layer| Layer::load(weights, &mut pool, layer, &shape))
            .collect::<Result<_, _>>()?;
        let norm = norm("embeddings.LayerNorm")?;
        let (rounded, blocks) = Default::default();
        Ok(Self { tokenizer, prefixes, shape, words, positions, kind, norm, layers, pool, rounded, blocks })
    }

    pub(super) fn ids(&self, kind: EmbedKind, texts: &[String]) -> Result<Vec<Vec<u32>>, ModelError> {
        let prefix = self.prefixes[usize::from(kind == EmbedKind::Passage)];
        let texts = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let encoded = self.tokenizer.encode_batch_fast::<String>(texts, true).map_err(kernel)?;
        let ids: Vec<Vec<u32>> = encoded.iter().map(|it| it.get_ids().to_vec()).collect();
        match ids.iter().flatten().find(|id| **id as usize >= self.shape.vocab_size) {
            Some(id) => {
                Err(ModelError::Failed(format!("the tokenizer gave the token {id}, which has no vector")))
            }
            None => Ok(ids),
        }
    }

    /// The vectors of texts that fit one pass.
    fn encode_rows(&mut self, texts: &[&[u32]]) -> Vec<Vec<f32>> {
        let Self { shape, words, positions, kind, norm, layers, pool, rounded, blocks, .. } = self;
        let (hidden, heads) = (shape.hidden_size, shape.num_attention_heads);
        let (isa, eps) = (pool.isa(), shape.layer_norm_eps);
        let rows: Vec<(usize, u32)> =
            texts.iter().flat_map(|text| text.iter().copied().enumerate()).collect();
        let count = rows.len();
        let mut states = vec![0.0; count * hidden];
        pool.chunks(&mut states, hidden, |row, state| {
            let (position, token) = rows[row];
            let mut sum = vec![0.0; hidden];
            words.row(token as usize, &mut sum);
            add_rows(&positions[position * hidden..][..hidden], &mut sum);
            add_rows(kind, &mut sum);
            layer_norm_rows(isa, &sum, &norm.weight, &norm.bias, eps, state);
        });
        let tables = tables(texts);
        let needed = tables.last().map_or(0, |(table, _)| table[table.len() - 1] as usize + 1);
        while blocks.len() < needed {
            blocks.push(KvBlock::new(1, heads, hidden / heads));
        }
        // Every token of a text sees all of it.
        let looks: Vec<Query<'_>> = tables
            .iter()
            .flat_map(|(table, length)| std::iter::repeat_n(Query { table, seen: *length }, *length))
            .collect();
        let places: Vec<usize> = looks
            .iter()
            .zip(&rows)
            .map(|(look, (position, _))| look.table[position / BLOCK] as usize)
            .collect();
        let mut scratch = Scratch::default();
        for layer in layers.iter() {
            let Scratch { query, key, value, .. } = &mut scratch;
            let copied = |row: usize, out: &mut [f32]| out.copy_from_slice(&states[row * hidden..][..hidden]);
            let outputs = [(&layer.query, query), (&layer.key, key), (&layer.value, value)]
                .map(|(linear, out)| linear.output(count, out));
            multiply(pool, rounded, count, copied, outputs.into());
            let Scratch { query, key, value, .. } = &mut scratch;
            let scale = ((hidden / heads) as f32).powf(-0.5);
            query.iter_mut().for_each(|value| *value *= scale);
            for (row, (position, _)) in rows.iter().enumerate() {
                let part = row * hidden..(row + 1) * hidden;
                blocks[places[row]].write(0, position % BLOCK, &key[part.clone()], &value[part]);
            }
            let Scratch { query, mixed, wide, .. } = &mut scratch;
            mixed.resize(count * hidden, 0.0);
            attend(pool, blocks, 0, &looks, query, mixed);
            let copied = |row: usize, out: &mut [f32]| out.copy_from_slice(&mixed[row * hidden..][..hidden]);
            layer.attended.add_to(pool, rounded, &mut states, copied);
            layer.attention_norm.apply(pool, &mut states, eps);
            let feed = layer.up.weight.rows();
            wide.resize(count * feed, 0.0);
            let copied = |row: usize, out: &mut [f32]| out.copy_from_slice(&states[row * hidden..][..hidden]);
            let output = Output { matrix: &layer.up.weight, out: wide, add: false };
            multiply(pool, rounded, count, copied, vec![output]);
            let curved = |row: usize, out: &mut [f32]| {
                gelu_rows(isa, &wide[row * feed..][..feed], &layer.up.bias, out);
            };
            layer.down.add_to(pool, rounded, &mut states, curved);
            layer.norm.apply(pool, &mut states, eps);
        }
        let mut vectors = Vec::with_capacity(texts.len());
        let mut rest = states.as_slice();
        for text in texts {
            let (mine, others) = rest.split_at(text.len() * hidden);
            rest = others;
            let mut sum = vec![0.0; hidden];
            // The mean differs from the sum in length only, and the length is set to 1.
            mine.chunks(hidden).for_each(|row| add_rows(row, &mut sum));
            super::normalise(&mut sum);
            vectors.push(sum);
        }
        vectors
    }
}

#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
}

/// For each text its blocks, one behind the other, and its length.
fn tables(texts: &[&[u32]]) -> Vec<(Vec<u32>, usize)> {
    let mut next = 0;
    texts
        .iter()
        .map(|text| {
            let first = next;
            next += text.len().div_ceil(BLOCK) as u32;
            ((first..next).collect(), text.len())
        })
        .collect()
}

impl Layer {
    fn load(weights: &dyn Weights, pool: &mut Pool, layer: usize, shape: &Shape) -> Result<Self, LoadError> {
        let (hidden, feed) = (shape.hidden_size, shape.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let mut linear = |part: &str, rows, columns| -> Result<Linear, LoadError> {
            let weight = weights.matrix(pool, &name(&format!("{part}.weight")), rows, columns)?;
            Ok(Linear { weight, bias: weights.vector(&name(&format!("{part}.bias")), rows)? })
        };
        let norm = |part: &str| -> Result<Norm, LoadError> {
            let weight = weights.vector(&name(&format!("{part}.LayerNorm.weight")), hidden)?;
            Ok(Norm { weight, bias: weights.vector(&name(&format!("{part}.LayerNorm.bias")), hidden)? })
        };
        Ok(Self {
            query: linear("attention.self.query", hidden, hidden)?,
            key: linear("attention.self.key", hidden, hidden)?,
            value: linear("attention.self.value", hidden, hidden)?,
            attended: linear("attention.output.dense", hidden, hidden)?,
            attention_norm: norm("attention.output")?,
            up: linear("intermediate.dense", feed, hidden)?,
            down: linear("output.dense", hidden, feed)?,
            norm: norm("output")?,
        })
    }
}

impl Linear {
    fn output<'a>(&'a self, count: usize, out: &'a mut Vec<f32>) -> Output<'a> {
        out.resize(count * self.bias.len(), 0.0);
        out.chunks_mut(self.bias.len()).for_each(|row| row.copy_from_slice(&self.bias));
        Output { matrix: &self.weight, out, add: true }
    }

    /// Adds product and bias to what is there.
    fn add_to(
        &self,
        pool: &mut Pool,
        rounded: &mut Activations,
        states: &mut [f32],
        prepare: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let count = states.len() / self.bias.len();
        states.chunks_mut(self.bias.len()).for_each(|row| add_rows(&self.bias, row));
        multiply(
            pool,
            rounded,
            count,
            prepare,
            vec![Output { matrix: &self.weight, out: states, add: true }],
        );
    }
}

impl Norm {
    fn apply(&self, pool: &mut Pool, states: &mut [f32], eps: f32) {
        let isa = pool.isa();
        let some = self.weight.len() * 16;
        pool.chunks(states, some, |_, states| {
            let mut row = vec![0.0; self.weight.len()];
            for state in states.chunks_mut(row.len()) {
                row.copy_from_slice(state);
                layer_norm_rows(isa, &row, &self.weight, &self.bias, eps, state);
            }
        });
    }
}

impl Encode for Bert {
    fn encode(&mut self, kind: EmbedKind, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let ids = self.ids(kind, texts)?;
        let mut vectors = Vec::with_capacity(texts.len());
        let mut first = 0;
        while first < ids.len() {
            let mut rows = 0;
            let fits = ids[first..].iter().take_while(|text| {
                rows += text.len();
                rows <= ROWS
            });
            let last = first + fits.count().max(1);
            let texts: Vec<&[u32]> = ids[first..last].iter().map(Vec::as_slice).collect();
            vectors.extend(self.encode_rows(&texts));
            first = last;
        }
        Ok(vectors)
    }
}

#[cfg(test)]
#[path = "bert_tests.rs"]
mod tests;
