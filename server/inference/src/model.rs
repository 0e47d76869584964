//! The forward pass of llama-family and Qwen2 models, for rows of any number of sequences at once.

use concord_kernels::{
    Activations, KvBlock, Matrix, Output, Pool, Query, attend, multiply, multiply_some, rms_norm_rows,
    silu_times_rows,
};

use crate::gguf::{Gguf, LoadError};

/// Longest context used, whatever the file allows: bounds the cache.
const MAX_CONTEXT: usize = 16_384;

/// A decoder-only language model.
pub(crate) struct Model {
    embedding: Matrix,
    /// None where the output matrix is the embedding table: one copy in memory.
    output: Option<Matrix>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    frequencies: Vec<f64>,
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
    attention_norm: Vec<f32>,
    query: Projection,
    key: Projection,
    value: Projection,
    attention_output: Matrix,
    feed_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

struct Projection {
    weight: Matrix,
    bias: Option<Vec<f32>>,
}

/// One token at one place of one sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) token: u32,
    pub(crate) position: usize,
    /// The blocks of its sequence, which reach this position.
    pub(crate) table: &'a [u32],
}

/// Threads and memory of forward passes.
pub(crate) struct Workspace {
    pub(crate) pool: Pool,
    rounded: Activations,
    states: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Workspace {
    pub(crate) fn new(pool: Pool) -> Self {
        let (states, query, key, value, mixed, gate, up) = Default::default();
        Self { pool, rounded: Activations::default(), states, query, key, value, mixed, gate, up }
    }
}

impl Model {
    /// Loads the weights.
    pub(crate) fn load(file: &mut Gguf, pool: &mut Pool) -> Result<Self, LoadError> {
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
        let head_dim = hidden / heads;
        if hidden % heads != 0 || heads % kv_heads != 0 || !head_dim.is_multiple_of(16) {
            return Err(LoadError(format!(
                "{heads} heads, {kv_heads} kv heads and width {hidden} do not fit"
            )));
        }
        if file.has("rope_freqs.weight") {
            return Err(LoadError("scaled rotary frequencies are not supported".to_owned()));
        }
        let vocab = file.value("tokenizer.ggml.tokens")?.to_vec()?.len();

        let embedding = file.matrix(pool, "token_embd.weight", vocab, hidden)?;
        let output = match file.has("output.weight") {
            true => Some(file.matrix(pool, "output.weight", vocab, hidden)?),
            false => None,
        };
        let layers = (0..blocks)
            .map(|block| Layer::load(file, pool, block, hidden, feed, kv_heads * head_dim))
            .collect::<Result<_, _>>()?;
        let norm = file.vector("output_norm.weight", hidden)?;
        let frequencies = (0..head_dim)
            .step_by(2)
            .map(|index| f64::from(base).powf(-(index as f64) / head_dim as f64))
            .collect();
        let shape = Shape { heads, kv_heads, head_dim, context, eps, interleaved };
        Ok(Self { embedding, output, layers, norm, frequencies, shape })
    }

    /// Positions a prompt and its answer may take together.
    pub(crate) fn context(&self) -> usize {
        self.shape.context
    }

    /// An empty block of this model's keys and values.
    pub(crate) fn new_block(&self) -> KvBlock {
        KvBlock::new(self.layers.len(), self.shape.kv_heads, self.shape.head_dim)
    }

    /// Bytes of such a block.
    pub(crate) fn block_bytes(&self) -> usize {
        KvBlock::bytes(self.layers.len(), self.shape.kv_heads, self.shape.head_dim)
    }

    /// Bytes of weights that one token reads: all matrices, of the embedding table only where it is the output too.
    pub(crate) fn read_bytes(&self) -> usize {
        let layer = |it: &Layer| {
            let projections = [&it.query, &it.key, &it.value].map(|it| it.weight.bytes());
            let others = [&it.attention_output, &it.gate, &it.up, &it.down].map(Matrix::bytes);
            projections.iter().chain(&others).sum::<usize>()
        };
        self.layers.iter().map(layer).sum::<usize>() + self.output().bytes()
    }

    fn output(&self) -> &Matrix {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Reads rows in one pass: their keys and values go to the blocks, their last hidden states stay in `work`.
    ///
    /// # Panics
    /// When a row's table does not reach its position, or a token is not of the vocabulary: callers checked both.
    pub(crate) fn forward(&self, work: &mut Workspace, blocks: &mut [KvBlock], rows: &[Row<'_>]) {
        let Shape { heads, kv_heads, head_dim, eps, .. } = self.shape;
        let (hidden, kv, count) = (heads * head_dim, kv_heads * head_dim, rows.len());
        let Workspace { pool, rounded, states, query, key, value, mixed, gate, up } = work;
        states.resize(count * hidden, 0.0);
        for (row, state) in rows.iter().zip(states.chunks_mut(hidden)) {
            self.embedding.row(row.token as usize, state);
        }
        let isa = pool.isa();
        let turns: Vec<Turn> = rows.iter().map(|row| Turn::new(&self.frequencies, row.position)).collect();
        let looks: Vec<Query<'_>> =
            rows.iter().map(|row| Query { table: row.table, seen: row.position + 1 }).collect();
        for (index, layer) in self.layers.iter().enumerate() {
            let outputs = [(&layer.query, &mut *query), (&layer.key, &mut *key), (&layer.value, &mut *value)]
                .map(|(projection, out)| projection.output(count, out));
            let normed = |row: usize, out: &mut [f32]| {
                rms_norm_rows(isa, &states[row * hidden..][..hidden], &layer.attention_norm, eps, out);
            };
            multiply(pool, rounded, count, normed, outputs.into());
            let scale = (head_dim as f32).powf(-0.5);
            for (row, turn) in turns.iter().enumerate() {
                turn.apply(&mut query[row * hidden..][..hidden], scale, self.shape);
                turn.apply(&mut key[row * kv..][..kv], 1.0, self.shape);
                let (block, slot) = place(&rows[row]);
                blocks[block].write(index, slot, &key[row * kv..][..kv], &value[row * kv..][..kv]);
            }
            mixed.resize(count * hidden, 0.0);
            attend(pool, blocks, index, &looks, query, mixed);
            let copied = |row: usize, out: &mut [f32]| out.copy_from_slice(&mixed[row * hidden..][..hidden]);
            let output = Output { matrix: &layer.attention_output, out: states, add: true };
            multiply(pool, rounded, count, copied, vec![output]);

            let feed = layer.gate.rows();
            gate.resize(count * feed, 0.0);
            up.resize(count * feed, 0.0);
            let outputs = vec![
                Output { matrix: &layer.gate, out: gate, add: false },
                Output { matrix: &layer.up, out: up, add: false },
            ];
            let normed = |row: usize, out: &mut [f32]| {
                rms_norm_rows(isa, &states[row * hidden..][..hidden], &layer.feed_norm, eps, out);
            };
            multiply(pool, rounded, count, normed, outputs);
            let gated = |row: usize, out: &mut [f32]| {
                silu_times_rows(isa, &gate[row * feed..][..feed], &up[row * feed..][..feed], out);
            };
            multiply(
                pool,
                rounded,
                count,
                gated,
                vec![Output { matrix: &layer.down, out: states, add: true }],
            );
        }
    }

    /// Logits over the vocabulary behind some of the rows just read, one row of the vocabulary's length each.
    pub(crate) fn logits(&self, work: &mut Workspace, rows: &[usize]) -> Vec<f32> {
        let Workspace { pool, rounded, states, .. } = work;
        let matrix = self.output();
        let mut logits = vec![0.0; rows.len() * matrix.rows()];
        let isa = pool.isa();
        let normed = |row: usize, out: &mut [f32]| self.last_norm(isa, states, rows[row], out);
        multiply(pool, rounded, rows.len(), normed, vec![Output { matrix, out: &mut logits, add: false }]);
        logits
    }

    /// Of these logits only those of some tokens, without reading the rest of the matrix.
    pub(crate) fn some_logits(&self, work: &mut Workspace, rows: &[usize], tokens: &[u32]) -> Vec<f32> {
        let Workspace { pool, rounded, states, .. } = work;
        let isa = pool.isa();
        let normed = |row: usize, out: &mut [f32]| self.last_norm(isa, states, rows[row], out);
        let wanted: Vec<usize> = tokens.iter().map(|token| *token as usize).collect();
        multiply_some(pool, rounded, rows.len(), normed, self.output(), &wanted)
    }

    fn last_norm(&self, isa: concord_kernels::Isa, states: &[f32], row: usize, out: &mut [f32]) {
        let hidden = self.norm.len();
        rms_norm_rows(isa, &states[row * hidden..][..hidden], &self.norm, self.shape.eps, out);
    }
}

/// The block a row's key and value go to, and the place in it.
fn place(row: &Row<'_>) -> (usize, usize) {
    let size = concord_kernels::BLOCK;
    (row.table[row.position / size] as usize, row.position % size)
}

impl Layer {
    fn load(
        file: &mut Gguf,
        pool: &mut Pool,
        block: usize,
        hidden: usize,
        feed: usize,
        kv: usize,
    ) -> Result<Self, LoadError> {
        let name = |part: &str| format!("blk.{block}.{part}");
        let mut matrix = |part: &str, rows, columns| -> Result<Matrix, LoadError> {
            file.matrix(pool, &name(&format!("{part}.weight")), rows, columns)
        };
        let query = matrix("attn_q", hidden, hidden)?;
        let key = matrix("attn_k", kv, hidden)?;
        let value = matrix("attn_v", kv, hidden)?;
        let attention_output = matrix("attn_output", hidden, hidden)?;
        let gate = matrix("ffn_gate", feed, hidden)?;
        let up = matrix("ffn_up", feed, hidden)?;
        let down = matrix("ffn_down", hidden, feed)?;
        let mut biased = |weight: Matrix, part: &str| -> Result<Projection, LoadError> {
            let bias = name(&format!("{part}.bias"));
            let bias = if file.has(&bias) { Some(file.vector(&bias, weight.rows())?) } else { None };
            Ok(Projection { weight, bias })
        };
        Ok(Self {
            query: biased(query, "attn_q")?,
            key: biased(key, "attn_k")?,
            value: biased(value, "attn_v")?,
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
    /// The product, added to the bias where there is one.
    fn output<'a>(&'a self, count: usize, out: &'a mut Vec<f32>) -> Output<'a> {
        out.resize(count * self.weight.rows(), 0.0);
        if let Some(bias) = &self.bias {
            out.chunks_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
        }
        Output { matrix: &self.weight, out, add: self.bias.is_some() }
    }
}

/// The rotation that tells a head where it stands.
struct Turn {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turn {
    fn new(frequencies: &[f64], position: usize) -> Self {
        let (sin, cos) = frequencies
            .iter()
            .map(|frequency| (position as f64 * frequency).sin_cos())
            .map(|(sin, cos)| (sin as f32, cos as f32))
            .unzip();
        Self { cos, sin }
    }

    /// Rotates every head of a row, and scales it.
    fn apply(&self, row: &mut [f32], scale: f32, shape: Shape) {
        let half = shape.head_dim / 2;
        for head in row.chunks_mut(shape.head_dim) {
            for (at, (cos, sin)) in self.cos.iter().zip(&self.sin).enumerate() {
                let (a, b) = if shape.interleaved { (2 * at, 2 * at + 1) } else { (at, at + half) };
                let (x, y) = (head[a] * scale, head[b] * scale);
                head[a] = x * cos - y * sin;
                head[b] = x * sin + y * cos;
            }
        }
    }
}
