//! The frozen model: a Llama-like decoder, its weights plain numbers, its forward made of operations with a backward.

use crate::adapter::{Adapter, Target};
use crate::data::{Example, Packed};
use crate::product::product;
use crate::{Result, TrainError, io};
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Words it knows.
    pub vocabulary: usize,
    /// Width.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked.
    pub kv_heads: usize,
    /// Width between.
    pub between: usize,
    /// Base of the rotations.
    pub theta: f64,
    /// Added under the root of a norm.
    pub epsilon: f64,
}

impl Shape {
    fn head(&self) -> usize {
        self.width / self.heads
    }

    /// Rows and columns of an adapted matrix.
    pub(crate) fn matrix(&self, target: Target) -> (usize, usize) {
        let kv = self.kv_heads * self.head();
        match target {
            Target::Q | Target::O => (self.width, self.width),
            Target::K | Target::V => (kv, self.width),
            Target::Gate | Target::Up => (self.between, self.width),
            Target::Down => (self.width, self.between),
        }
    }
}

/// In how many bits frozen matrices are kept. Everything is computed in 32 bits, and what is learnt is kept in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, with the exponent of 32: half the memory, weights rounded by a 256th at most.
    Bf16,
}

/// A model whose weights do not change.
pub struct Frozen {
    pub(crate) shape: Shape,
    /// What is computed in.
    pub(crate) kind: DType,
    /// What matrices are kept in.
    pub(crate) kept: DType,
    embedding: Tensor,
    output: Tensor,
    norm: Tensor,
    layers: Vec<Layer>,
}

/// What all layers share of a pack: who sees whom, and how each place is turned.
pub(crate) struct Sight {
    mask: Tensor,
    turns: (Tensor, Tensor),
}

struct Layer {
    attention_norm: Tensor,
    between_norm: Tensor,
    matrices: HashMap<Target, Tensor>,
}

impl Frozen {
    /// From tensors by their names in Hugging Face's files (`model.layers.0.self_attn.q_proj.weight`), as `kind`.
    ///
    /// # Errors
    /// [`TrainError::File`] naming a tensor that is missing or has another shape.
    pub fn new(shape: Shape, kind: DType, get: impl Fn(&str) -> Result<Tensor>) -> Result<Self> {
        Self::keeping(shape, kind, kind, get)
    }

    fn keeping(shape: Shape, kind: DType, kept: DType, get: impl Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let get = |name: &str, dims: &[usize]| -> Result<Tensor> {
            let tensor = get(name)?;
            if tensor.dims() != dims {
                return Err(TrainError::File(format!("{name} is {:?}, not {dims:?}", tensor.dims())));
            }
            let kind = if dims.len() > 1 { kept } else { kind };
            Ok(tensor.to_dtype(kind)?.contiguous()?)
        };
        let Shape { width, vocabulary, .. } = shape;
        let embedding = get("model.embed_tokens.weight", &[vocabulary, width])?;
        let output = get("lm_head.weight", &[vocabulary, width])
            .or_else(|_| Ok::<_, TrainError>(embedding.clone()))?;
        let layers = (0..shape.layers)
            .map(|n| {
                let matrices = Target::ALL.into_iter().map(|target| {
                    let (rows, columns) = shape.matrix(target);
                    Ok((
                        target,
                        get(&format!("model.layers.{n}.{}.weight", target.path()), &[rows, columns])?,
                    ))
                });
                Ok(Layer {
                    attention_norm: get(&format!("model.layers.{n}.input_layernorm.weight"), &[width])?,
                    between_norm: get(
                        &format!("model.layers.{n}.post_attention_layernorm.weight"),
                        &[width],
                    )?,
                    matrices: matrices.collect::<Result<_>>()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { shape, kind, kept, embedding, output, norm: get("model.norm.weight", &[width])?, layers })
    }

    /// Its sizes.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// From a GGUF file of architecture `llama`, dequantised.
    ///
    /// # Errors
    /// [`TrainError::File`] if it is another model's.
    pub fn from_gguf(path: &Path, precision: Precision) -> Result<Self> {
        let mut reader = BufReader::new(File::open(path).map_err(io(path))?);
        let content = Content::read(&mut reader)?;
        let shape = shape(&content)?;
        let kept = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        };
        // A tensor at a time: all of them in 32 bits would be the most that a run needs.
        let reader = RefCell::new(reader);
        Self::keeping(shape, DType::F32, kept, |name| {
            let given = gguf_name(name);
            if !content.tensor_infos.contains_key(&given) {
                return Err(TrainError::File(format!("{} has no {given}", path.display())));
            }
            let tensor = content.tensor(&mut *reader.borrow_mut(), &given, &Device::Cpu)?;
            let tensor = tensor.dequantize(&Device::Cpu)?;
            Ok(match Target::of(name) {
                Some(Target::Q) => halves(&tensor, shape.heads)?,
                Some(Target::K) => halves(&tensor, shape.kv_heads)?,
                _ => tensor,
            })
        })
    }

    /// The loss of a pack: the negative log-likelihood of what is learnt, summed.
    ///
    /// # Errors
    /// A tensor operation's.
    pub fn loss(&self, adapter: &Adapter, pack: &Packed) -> Result<Tensor> {
        self.unlikely(&self.hidden(adapter, pack)?, pack)
    }

    /// The negative log-likelihood of what is learnt of a pack.
    pub(crate) fn unlikely(&self, hidden: &Tensor, pack: &Packed) -> Result<Tensor> {
        let learnt = (0_u32..).zip(&pack.targets).filter_map(|(at, target)| Some((at, (*target)?)));
        let (places, targets): (Vec<u32>, Vec<u32>) = learnt.unzip();
        let n = places.len();
        let places = Tensor::from_vec(places, n, &Device::Cpu)?;
        let targets = Tensor::from_vec(targets, (n, 1), &Device::Cpu)?;
        // Only places that are learnt are turned into words: the vocabulary is wide.
        let logits = self.words(&hidden.index_select(&places, 0)?)?;
        let most = logits.max_keepdim(D::Minus1)?.detach();
        let shifted = logits.broadcast_sub(&most)?;
        let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
        Ok((total - shifted.gather(&targets, 1)?)?.sum_all()?)
    }

    /// The logits of every place of a pack.
    ///
    /// # Errors
    /// A tensor operation's.
    pub fn logits(&self, adapter: &Adapter, pack: &Packed) -> Result<Tensor> {
        self.words(&self.hidden(adapter, pack)?)
    }

    /// The logits of one place.
    pub(crate) fn logits_at(&self, adapter: &Adapter, pack: &Packed, at: usize) -> Result<Tensor> {
        let hidden = self.hidden(adapter, pack)?.narrow(0, at, 1)?;
        Ok(self.words(&hidden)?.squeeze(0)?)
    }

    fn words(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(product(&self.normed(hidden, &self.norm)?, &self.output)?)
    }

    /// What an example is above so many frozen layers.
    pub(crate) fn below(&self, example: &Example, layers: usize) -> Result<Tensor> {
        let mut pack = Packed::default();
        pack.push(0, example);
        Ok(self.through(None, &pack, layers)?.detach())
    }

    fn hidden(&self, adapter: &Adapter, pack: &Packed) -> Result<Tensor> {
        self.through(Some(adapter), pack, self.layers.len())
    }

    fn through(&self, adapter: Option<&Adapter>, pack: &Packed, layers: usize) -> Result<Tensor> {
        let (mut x, sight) = (self.embedded(pack)?, self.sight(pack)?);
        for n in 0..layers {
            x = self.layer(adapter, n, &x, &sight)?;
        }
        Ok(x)
    }

    fn embedded(&self, pack: &Packed) -> Result<Tensor> {
        let tokens = Tensor::from_slice(&pack.tokens, pack.tokens.len(), &Device::Cpu)?;
        Ok(self.embedding.index_select(&tokens, 0)?.to_dtype(self.kind)?)
    }

    pub(crate) fn sight(&self, pack: &Packed) -> Result<Sight> {
        let n = pack.tokens.len();
        let mask = Tensor::from_vec(pack.mask(), (n, n), &Device::Cpu)?.to_dtype(self.kind)?;
        Ok(Sight { mask, turns: self.turns(&pack.positions)? })
    }

    /// One layer, with what the adapter adds to it.
    pub(crate) fn layer(
        &self,
        adapter: Option<&Adapter>,
        n: usize,
        x: &Tensor,
        sight: &Sight,
    ) -> Result<Tensor> {
        let layer = &self.layers[n];
        let x = (x + self.attention(layer, adapter, n, x, sight)?)?;
        Ok((&x + self.between(layer, adapter, n, &x)?)?)
    }

    fn attention(
        &self,
        layer: &Layer,
        adapter: Option<&Adapter>,
        place: usize,
        x: &Tensor,
        Sight { mask, turns }: &Sight,
    ) -> Result<Tensor> {
        let Shape { heads, kv_heads, width, .. } = self.shape;
        let (n, head) = (x.dim(0)?, self.shape.head());
        let x = self.normed(x, &layer.attention_norm)?;
        let of = |target| self.times(layer, adapter, place, target, &x);
        let split = |tensor: Tensor, heads| -> Result<Tensor> {
            Ok(tensor.reshape((n, heads, head))?.transpose(0, 1)?.contiguous()?)
        };
        let q = turned(&split(of(Target::Q)?, heads)?, turns)?;
        let k = turned(&split(of(Target::K)?, kv_heads)?, turns)?;
        let v = split(of(Target::V)?, kv_heads)?;
        let (k, v) = (self.shared(&k)?, self.shared(&v)?);
        #[expect(clippy::cast_precision_loss, reason = "a head's width")]
        let scale = 1.0 / (head as f64).sqrt();
        let scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? * scale)?.broadcast_add(mask)?;
        let mixed = softmax(&scores)?.matmul(&v)?;
        let joined = mixed.transpose(0, 1)?.contiguous()?.reshape((n, width))?;
        self.times(layer, adapter, place, Target::O, &joined)
    }

    /// Each head that is asked stands for a group of those that ask.
    fn shared(&self, of: &Tensor) -> Result<Tensor> {
        let Shape { heads, kv_heads, .. } = self.shape;
        let (_, n, head) = of.dims3()?;
        let times = heads / kv_heads;
        let many = of.unsqueeze(1)?.broadcast_as((kv_heads, times, n, head))?;
        Ok(many.contiguous()?.reshape((heads, n, head))?)
    }

    fn between(&self, layer: &Layer, adapter: Option<&Adapter>, place: usize, x: &Tensor) -> Result<Tensor> {
        let x = self.normed(x, &layer.between_norm)?;
        let gate = self.times(layer, adapter, place, Target::Gate, &x)?;
        let up = self.times(layer, adapter, place, Target::Up, &x)?;
        self.times(layer, adapter, place, Target::Down, &(gate.silu()? * up)?)
    }

    /// A frozen matrix, and what the adapter adds to it.
    fn times(
        &self,
        layer: &Layer,
        adapter: Option<&Adapter>,
        place: usize,
        target: Target,
        x: &Tensor,
    ) -> Result<Tensor> {
        let Some(matrix) = layer.matrices.get(&target) else {
            return Err(TrainError::File(format!("layer {place} has no {}", target.path())));
        };
        let frozen = product(x, matrix)?;
        Ok(match adapter.map(|it| it.adds(place, target, x)).transpose()?.flatten() {
            Some(more) => (frozen + more)?,
            None => frozen,
        })
    }

    fn normed(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
        let root = (mean + self.shape.epsilon)?.sqrt()?;
        Ok(x.broadcast_div(&root)?.broadcast_mul(weight)?)
    }

    /// Cosines and sines of the rotations at these positions.
    fn turns(&self, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let head = self.shape.head();
        #[expect(clippy::cast_precision_loss, reason = "a head's width")]
        let speed = |n: usize| self.shape.theta.powf(-2.0 * n as f64 / head as f64);
        let angles: Vec<f64> = positions
            .iter()
            .flat_map(|at| (0..head).map(move |n| f64::from(*at) * speed(n % (head / 2))))
            .collect();
        let angles = Tensor::from_vec(angles, (positions.len(), head), &Device::Cpu)?;
        Ok((angles.cos()?.to_dtype(self.kind)?, angles.sin()?.to_dtype(self.kind)?))
    }
}

/// Rotates the halves of each head.
fn turned(x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (left, right) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
    let across = Tensor::cat(&[&right.neg()?, &left], D::Minus1)?;
    Ok((x.broadcast_mul(cos)? + across.broadcast_mul(sin)?)?)
}

fn softmax(x: &Tensor) -> Result<Tensor> {
    let most = x.max_keepdim(D::Minus1)?.detach();
    let powers = x.broadcast_sub(&most)?.exp()?;
    Ok(powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?)
}

fn said<'a>(content: &'a Content, name: &str) -> Result<&'a Value> {
    let missing = || TrainError::File(format!("the file does not say {name}"));
    content.metadata.get(name).ok_or_else(missing)
}

fn shape(content: &Content) -> Result<Shape> {
    let number = |name: &str| -> Result<usize> { Ok(said(content, name)?.to_u32()? as usize) };
    let architecture = said(content, "general.architecture")?.to_string()?;
    if architecture != "llama" {
        return Err(TrainError::File(format!(
            "{architecture} cannot be trained here: take a model marked trainable"
        )));
    }
    let embedding = content.tensor_infos.get("token_embd.weight");
    let vocabulary = embedding.and_then(|it| it.shape.dims().first().copied()).unwrap_or_default();
    let real = |name: &str, usual: f64| {
        content.metadata.get(name).map_or(Ok(usual), |it: &Value| it.to_f32().map(f64::from))
    };
    let shape = Shape {
        vocabulary,
        width: number("llama.embedding_length")?,
        layers: number("llama.block_count")?,
        heads: number("llama.attention.head_count")?,
        kv_heads: number("llama.attention.head_count_kv")?,
        between: number("llama.feed_forward_length")?,
        theta: real("llama.rope.freq_base", 10_000.0)?,
        epsilon: real("llama.attention.layer_norm_rms_epsilon", 1e-5)?,
    };
    let whole = shape.heads > 0
        && shape.kv_heads > 0
        && shape.width.is_multiple_of(shape.heads)
        && shape.heads.is_multiple_of(shape.kv_heads);
    if whole && shape.head().is_multiple_of(2) {
        Ok(shape)
    } else {
        Err(TrainError::File(format!("no such heads: {shape:?}")))
    }
}

/// A tensor's name in a GGUF file.
pub(crate) fn gguf_name(name: &str) -> String {
    let short = match name {
        "model.embed_tokens.weight" => return "token_embd.weight".into(),
        "lm_head.weight" => return "output.weight".into(),
        "model.norm.weight" => return "output_norm.weight".into(),
        other => other.trim_start_matches("model.layers."),
    };
    let (layer, rest) = short.split_once('.').unwrap_or((short, ""));
    let part = match rest {
        "input_layernorm.weight" => "attn_norm",
        "post_attention_layernorm.weight" => "ffn_norm",
        other => {
            let path = other.trim_end_matches(".weight");
            match Target::ALL.into_iter().find(|it| it.path() == path) {
                Some(target) => target.gguf(),
                None => path,
            }
        }
    };
    format!("blk.{layer}.{part}.weight")
}

/// GGUF keeps the two halves of a head's rows in turn; Hugging Face one after the other.
fn halves(matrix: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, columns) = matrix.dims2()?;
    let half = rows / heads / 2;
    Ok(matrix.reshape((heads, half, 2, columns))?.transpose(1, 2)?.contiguous()?.reshape((rows, columns))?)
}

/// And back.
pub(crate) fn in_turn(matrix: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, columns) = matrix.dims2()?;
    let half = rows / heads / 2;
    Ok(matrix.reshape((heads, 2, half, columns))?.transpose(1, 2)?.contiguous()?.reshape((rows, columns))?)
}
