//! The forward pass of llama-family and Qwen2 models on candle's quantised matrices.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{D, DType, Device, Module, Result, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};

use crate::cache::KvCache;
use crate::gguf::{Gguf, LoadError};

/// Longest context used, whatever the file allows: bounds the rotary tables and the cache.
const MAX_CONTEXT: usize = 16_384;

/// Positions read in one call while prefilling: bounds the memory of activations and scores.
pub(crate) const CHUNK: usize = 256;

/// A decoder-only language model.
pub(crate) struct Model {
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    output: QMatMul,
    cos: Tensor,
    sin: Tensor,
    shape: Shape,
}

#[derive(Clone, Copy)]
struct Shape {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    context: usize,
    eps: f32,
    /// Llama's GGUF files interleave the rotated halves; Qwen2's keep them apart.
    interleaved: bool,
}

struct Layer {
    attention_norm: Tensor,
    query: Projection,
    key: Projection,
    value: Projection,
    attention_output: QMatMul,
    feed_norm: Tensor,
    gate: QMatMul,
    up: QMatMul,
    down: QMatMul,
}

struct Projection {
    weight: QMatMul,
    bias: Option<Tensor>,
}

impl Model {
    /// Loads the weights.
    pub(crate) fn load(file: &mut Gguf) -> std::result::Result<Self, LoadError> {
        let arch = file.text("general.architecture")?.to_owned();
        let interleaved = match arch.as_str() {
            "llama" => true,
            "qwen2" => false,
            other => return Err(LoadError(format!("the architecture {other} is not supported"))),
        };
        let key = |name: &str| format!("{arch}.{name}");
        let hidden = file.count(&key("embedding_length"), 1 << 14)?;
        let blocks = file.count(&key("block_count"), 256)?;
        let feed = file.count(&key("feed_forward_length"), 1 << 17)?;
        let heads = file.count(&key("attention.head_count"), 256)?;
        let kv_heads = file.count(&key("attention.head_count_kv"), 256)?;
        let eps = file.float(&key("attention.layer_norm_rms_epsilon"))?;
        let context = file.count(&key("context_length"), 1 << 24)?.min(MAX_CONTEXT);
        let base = file.float(&key("rope.freq_base")).unwrap_or(10_000.0);
        if hidden % heads != 0 || heads % kv_heads != 0 || (hidden / heads) % 2 != 0 {
            return Err(LoadError(format!(
                "{heads} heads, {kv_heads} kv heads and width {hidden} do not fit"
            )));
        }
        if file.has("rope_freqs.weight") {
            return Err(LoadError("scaled rotary frequencies are not supported".to_owned()));
        }
        let head_dim = hidden / heads;
        let vocab = file.value("tokenizer.ggml.tokens")?.to_vec()?.len();

        let embedding = Arc::new(file.matrix("token_embd.weight", vocab, hidden)?);
        // Tied embeddings: the output matrix is the embedding table, one copy in memory.
        let output = match file.has("output.weight") {
            true => QMatMul::from_qtensor(file.matrix("output.weight", vocab, hidden)?)?,
            false => QMatMul::from_arc(Arc::clone(&embedding))?,
        };
        let layers = (0..blocks)
            .map(|block| Layer::load(file, block, hidden, feed, kv_heads * head_dim))
            .collect::<std::result::Result<_, _>>()?;
        let norm = file.vector("output_norm.weight", hidden)?;
        let (cos, sin) = rotary_tables(head_dim, base, context)?;
        let shape = Shape { heads, kv_heads, head_dim, context, eps, interleaved };
        Ok(Self { embedding, layers, norm, output, cos, sin, shape })
    }

    /// Positions a prompt and its answer may take together.
    pub(crate) fn context(&self) -> usize {
        self.shape.context
    }

    /// An empty cache for this model.
    pub(crate) fn new_cache(&self) -> Result<KvCache> {
        KvCache::new(self.layers.len(), self.shape.kv_heads, self.shape.head_dim)
    }

    /// Reads tokens in one call at the end of the cache; returns the last position's hidden state.
    pub(crate) fn forward(&self, tokens: &[u32], cache: &mut KvCache) -> Result<Tensor> {
        let (start, count) = (cache.len(), tokens.len());
        if count == 0 || start + count > self.shape.context {
            candle_core::bail!("{count} tokens at position {start} do not fit {}", self.shape.context)
        }
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        // Only the rows of these tokens are dequantised: an f32 copy of the whole table would take
        // nearly a gigabyte for Qwen's vocabulary.
        let mut states = self.embedding.embedding(&ids)?;
        let mask = if count == 1 { None } else { Some(causal_mask(start, count)?) };
        let cos = self.cos.narrow(0, start, count)?;
        let sin = self.sin.narrow(0, start, count)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = rms_norm(&states, &layer.attention_norm, self.shape.eps)?;
            let attended = self.attend(layer, index, &normed, &cos, &sin, mask.as_ref(), cache)?;
            states = (states + attended)?;
            let normed = rms_norm(&states, &layer.feed_norm, self.shape.eps)?;
            let gated = (silu(&layer.gate.forward(&normed)?)? * layer.up.forward(&normed)?)?;
            states = (states + layer.down.forward(&gated)?)?;
        }
        cache.advance(count);
        states.narrow(0, count - 1, 1)
    }

    /// Logits over the vocabulary for one hidden state.
    pub(crate) fn logits(&self, state: &Tensor) -> Result<Vec<f32>> {
        let normed = rms_norm(&state.contiguous()?, &self.norm, self.shape.eps)?;
        self.output.forward(&normed)?.squeeze(0)?.to_vec1()
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    fn attend(
        &self,
        layer: &Layer,
        index: usize,
        states: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        mask: Option<&Tensor>,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let Shape { heads, kv_heads, head_dim, interleaved, .. } = self.shape;
        let count = states.dim(0)?;
        let split = |projected: Tensor, heads: usize| {
            projected.reshape((1, count, heads, head_dim))?.transpose(1, 2)?.contiguous()
        };
        let rotate = |heads: &Tensor| match interleaved {
            true => rope_i(heads, cos, sin),
            false => rope(heads, cos, sin),
        };
        let query = rotate(&split(layer.query.forward(states)?, heads)?)?;
        let key = rotate(&split(layer.key.forward(states)?, kv_heads)?)?.squeeze(0)?;
        let value = split(layer.value.forward(states)?, kv_heads)?.squeeze(0)?;
        let (keys, values) = cache.append(index, &key, &value)?;

        // Query heads that share a key head are stacked as rows: no copy of keys and values.
        let group = heads / kv_heads;
        let query = (query.reshape((kv_heads, group * count, head_dim))? * (head_dim as f64).powf(-0.5))?;
        let mut scores = query.matmul(&keys.transpose(1, 2)?)?;
        if let Some(mask) = mask {
            let read = keys.dim(1)?;
            scores = scores.reshape((heads, count, read))?.broadcast_add(mask)?;
            scores = scores.reshape((kv_heads, group * count, read))?;
        }
        let mixed = softmax_last_dim(&scores)?.matmul(&values)?;
        let mixed = mixed.reshape((heads, count, head_dim))?.transpose(0, 1)?;
        layer.attention_output.forward(&mixed.reshape((count, heads * head_dim))?.contiguous()?)
    }
}

impl Layer {
    fn load(
        file: &mut Gguf,
        block: usize,
        hidden: usize,
        feed: usize,
        kv: usize,
    ) -> std::result::Result<Self, LoadError> {
        let name = |part: &str| format!("blk.{block}.{part}");
        let mut matrix = |part: &str, rows, columns| -> std::result::Result<QMatMul, LoadError> {
            Ok(QMatMul::from_qtensor(file.matrix(&name(&format!("{part}.weight")), rows, columns)?)?)
        };
        let query = matrix("attn_q", hidden, hidden)?;
        let key = matrix("attn_k", kv, hidden)?;
        let value = matrix("attn_v", kv, hidden)?;
        let attention_output = matrix("attn_output", hidden, hidden)?;
        let gate = matrix("ffn_gate", feed, hidden)?;
        let up = matrix("ffn_up", feed, hidden)?;
        let down = matrix("ffn_down", hidden, feed)?;
        let mut biased = |weight, part: &str, length| -> std::result::Result<Projection, LoadError> {
            let bias = name(&format!("{part}.bias"));
            let bias = if file.has(&bias) { Some(file.vector(&bias, length)?) } else { None };
            Ok(Projection { weight, bias })
        };
        Ok(Self {
            query: biased(query, "attn_q", hidden)?,
            key: biased(key, "attn_k", kv)?,
            value: biased(value, "attn_v", kv)?,
            attention_output,
            gate,
            up,
            down,
            attention_norm: file.vector(&name("attn_norm.weight"), hidden)?,
            feed_norm: file.vector(&name("ffn_norm.weight"), hidden)?,
        })
    }
}

impl Projection {
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let projected = self.weight.forward(states)?;
        match &self.bias {
            Some(bias) => projected.broadcast_add(bias),
            None => Ok(projected),
        }
    }
}

/// 0 where a position may look, minus infinity where it must not: `[count, start + count]`.
fn causal_mask(start: usize, count: usize) -> Result<Tensor> {
    let read = start + count;
    let mask: Vec<f32> = (0..count)
        .flat_map(|row| (0..read).map(move |seen| if seen > start + row { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    Tensor::from_vec(mask, (count, read), &Device::Cpu)
}

fn rotary_tables(head_dim: usize, base: f32, context: usize) -> Result<(Tensor, Tensor)> {
    let frequencies: Vec<f32> =
        (0..head_dim).step_by(2).map(|index| 1.0 / base.powf(index as f32 / head_dim as f32)).collect();
    let width = frequencies.len();
    let frequencies = Tensor::from_vec(frequencies, (1, width), &Device::Cpu)?;
    let positions =
        Tensor::arange(0, context as u32, &Device::Cpu)?.to_dtype(DType::F32)?.unsqueeze(D::Minus1)?;
    let angles = positions.matmul(&frequencies)?;
    Ok((angles.cos()?, angles.sin()?))
}
