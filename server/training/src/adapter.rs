//! The adapter: for each chosen matrix W, B·A added to it, A and B thin. Saved as PEFT saves it.

use crate::frozen::{Frozen, Shape};
use crate::{Result, TrainError, io};
use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A matrix of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// `q_proj`.
    #[serde(rename = "q_proj")]
    Q,
    /// `k_proj`.
    #[serde(rename = "k_proj")]
    K,
    /// `v_proj`.
    #[serde(rename = "v_proj")]
    V,
    /// `o_proj`.
    #[serde(rename = "o_proj")]
    O,
    /// `gate_proj`.
    #[serde(rename = "gate_proj")]
    Gate,
    /// `up_proj`.
    #[serde(rename = "up_proj")]
    Up,
    /// `down_proj`.
    #[serde(rename = "down_proj")]
    Down,
}

impl Target {
    /// All of a layer.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Its path within a layer.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// Its name in a GGUF file.
    pub(crate) fn gguf(self) -> &'static str {
        match self {
            Self::Q => "attn_q",
            Self::K => "attn_k",
            Self::V => "attn_v",
            Self::O => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    /// Of a tensor's name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| name.contains(it.path()))
    }
}

/// How an adapter is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Width of A and B.
    pub rank: usize,
    /// The product counts alpha / rank.
    pub alpha: f64,
    /// The matrices, in every adapted layer.
    pub targets: Vec<Target>,
    /// Only so many of the topmost layers; 0: all. Below them nothing is learnt, and no gradient goes there.
    pub top_layers: usize,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: vec![Target::Q, Target::V], top_layers: 0 }
    }
}

/// Trained matrices beside a frozen model.
pub struct Adapter {
    pub(crate) config: LoraConfig,
    pub(crate) parts: BTreeMap<(usize, Target), (Var, Var)>,
}

impl Adapter {
    /// A drawn by the seed as PEFT does (uniform within 1/√in), B zero: at first it changes nothing.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the configuration adapts nothing.
    pub fn new(model: &Frozen, config: LoraConfig, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let first =
            if config.top_layers == 0 { 0 } else { model.shape.layers.saturating_sub(config.top_layers) };
        let mut targets = config.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        if config.rank == 0 || targets.is_empty() {
            return Err(TrainError::Data("an adapter needs a rank and matrices".into()));
        }
        let mut parts = BTreeMap::new();
        for layer in first..model.shape.layers {
            for target in &targets {
                let (rows, columns) = model.shape.matrix(*target);
                #[expect(clippy::cast_precision_loss, reason = "a matrix's width")]
                let bound = 1.0 / (columns as f64).sqrt();
                let drawn: Vec<f64> =
                    (0..config.rank * columns).map(|_| rng.random_range(-bound..bound)).collect();
                let a =
                    Tensor::from_vec(drawn, (config.rank, columns), &Device::Cpu)?.to_dtype(model.kind)?;
                let b = Tensor::zeros((rows, config.rank), model.kind, &Device::Cpu)?;
                parts.insert((layer, *target), (Var::from_tensor(&a)?, Var::from_tensor(&b)?));
            }
        }
        Ok(Self { config: LoraConfig { targets, ..config }, parts })
    }

    /// The lowest layer that it adapts.
    pub(crate) fn lowest(&self) -> Option<usize> {
        self.parts.keys().map(|(layer, _)| *layer).min()
    }

    /// What the adapter adds to a matrix's product with x.
    pub(crate) fn adds(&self, layer: usize, target: Target, x: &Tensor) -> Result<Option<Tensor>> {
        let Some((a, b)) = self.parts.get(&(layer, target)) else { return Ok(None) };
        Ok(Some((x.matmul(&a.t()?)?.matmul(&b.t()?)? * self.scale())?))
    }

    pub(crate) fn scale(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rank")]
        let rank = self.config.rank as f64;
        self.config.alpha / rank
    }

    /// The trained variables by PEFT's names, in a fixed order.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, Var)> {
        self.parts
            .iter()
            .flat_map(|((layer, target), (a, b))| {
                let name = |part| {
                    format!("base_model.model.model.layers.{layer}.{}.lora_{part}.weight", target.path())
                };
                [(name("A"), a.clone()), (name("B"), b.clone())]
            })
            .collect()
    }

    /// Writes `adapter_model.safetensors` and `adapter_config.json` into a folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, folder: &Path, base: &str, shape: &Shape) -> Result<()> {
        fs::create_dir_all(folder).map_err(io(folder))?;
        let variables = self.variables().into_iter().map(|(name, var)| (name, var.as_tensor().clone()));
        write(&folder.join("adapter_model.safetensors"), &variables.collect::<Vec<_>>())?;
        let layers: Option<Vec<usize>> = (self.config.top_layers > 0)
            .then(|| (shape.layers.saturating_sub(self.config.top_layers)..shape.layers).collect());
        let config = serde_json::json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": self.config.rank,
            "lora_alpha": self.config.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false,
            "inference_mode": true, "target_modules": self.config.targets, "layers_to_transform": layers,
        });
        let path = folder.join("adapter_config.json");
        let text =
            serde_json::to_string_pretty(&config).map_err(|error| TrainError::File(error.to_string()))?;
        fs::write(&path, text + "\n").map_err(io(&path))
    }

    /// Takes the values that [`Adapter::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError::File`] if they are not this adapter's.
    pub fn load(&self, folder: &Path) -> Result<()> {
        set(&self.variables(), &read(&folder.join("adapter_model.safetensors"))?)
    }
}

/// Tensors by name into a safetensors file, by way of a neighbour: it is whole or not there.
pub(crate) fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let mut bytes: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let flat = tensor.flatten_all()?;
        let (kind, data) = match tensor.dtype() {
            DType::F64 => {
                (Dtype::F64, flat.to_vec1::<f64>()?.iter().flat_map(|it| it.to_le_bytes()).collect())
            }
            _ => (
                Dtype::F32,
                flat.to_dtype(DType::F32)?.to_vec1::<f32>()?.iter().flat_map(|it| it.to_le_bytes()).collect(),
            ),
        };
        bytes.push((name.clone(), kind, tensor.dims().to_vec(), data));
    }
    let views = bytes.iter().map(|(name, kind, dims, data)| {
        let view = TensorView::new(*kind, dims.clone(), data)
            .map_err(|error| TrainError::File(error.to_string()))?;
        Ok((name.clone(), view))
    });
    let views: Vec<(String, TensorView<'_>)> = views.collect::<Result<_>>()?;
    let written = safetensors::serialize(views, None).map_err(|error| TrainError::File(error.to_string()))?;
    let partial = path.with_extension("partial");
    fs::write(&partial, written).map_err(io(&partial))?;
    fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(io(&partial))?;
    fs::rename(&partial, path).map_err(io(path))
}

pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let bytes = fs::read(path).map_err(io(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| TrainError::File(format!("{}: {error}", path.display())))?;
    let mut found = BTreeMap::new();
    for (name, view) in file.tensors() {
        let kind = if view.dtype() == Dtype::F64 { DType::F64 } else { DType::F32 };
        found.insert(name, Tensor::from_raw_buffer(view.data(), kind, view.shape(), &Device::Cpu)?);
    }
    Ok(found)
}

/// Gives variables the values of a file.
pub(crate) fn set(variables: &[(String, Var)], values: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, var) in variables {
        let value = values.get(name).ok_or_else(|| TrainError::File(format!("{name} is not in the file")))?;
        if value.dims() != var.dims() || value.dtype() != var.dtype() {
            return Err(TrainError::File(format!(
                "{name} is {:?} {:?} in the file",
                value.dims(),
                value.dtype()
            )));
        }
        var.set(value)?;
    }
    Ok(())
}
