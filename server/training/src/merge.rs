//! An adapter merged into a model's file: the same file, its adapted matrices with B·A added.

use crate::adapter::{Adapter, Target};
use crate::frozen::{Shape, gguf_name, in_turn};
use crate::{Result, TrainError, io};
use candle_core::quantized::gguf_file::{Content, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// Writes `to`: `from` with the adapter in it. Adapted matrices become Q8_0, or stay f32 or f16 where they were: a
/// coarser kind would round away what was learnt.
///
/// # Errors
/// [`TrainError::File`] if the adapter is another model's; the disk's.
pub fn merge(from: &Path, adapter: &Adapter, shape: &Shape, to: &Path) -> Result<()> {
    let mut reader = BufReader::new(File::open(from).map_err(io(from))?);
    let content = Content::read(&mut reader)?;
    let adapted: std::collections::HashMap<String, (usize, Target)> = adapter
        .parts
        .keys()
        .map(|(layer, target)| {
            (gguf_name(&format!("model.layers.{layer}.{}.weight", target.path())), (*layer, *target))
        })
        .collect();
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort_by_key(|name| content.tensor_infos[*name].offset);
    if let Some(missing) = adapted.keys().find(|name| !content.tensor_infos.contains_key(*name)) {
        return Err(TrainError::File(format!("{} has no {missing}", from.display())));
    }
    let mut tensors: Vec<(String, QTensor)> = Vec::with_capacity(names.len());
    for name in names {
        let stored = content.tensor(&mut reader, name, &Device::Cpu)?;
        let tensor = match adapted.get(name) {
            None => stored,
            Some(key) => {
                let sum = (stored.dequantize(&Device::Cpu)? + added(adapter, shape, *key)?)?;
                let kind = match stored.dtype() {
                    kind @ (GgmlDType::F32 | GgmlDType::F16) => kind,
                    _ => GgmlDType::Q8_0,
                };
                QTensor::quantize(&sum, kind)?
            }
        };
        tensors.push((name.clone(), tensor));
    }
    // In the order of names: the same weights make the same bytes, which a registry knows them by.
    let mut metadata: Vec<(&str, _)> =
        content.metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    metadata.sort_by_key(|(name, _)| *name);
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let partial = to.with_extension("partial");
    let mut out = BufWriter::new(File::create(&partial).map_err(io(&partial))?);
    write(&mut out, &metadata, &tensors)?;
    out.flush().map_err(io(&partial))?;
    out.get_ref().sync_all().map_err(io(&partial))?;
    std::fs::rename(&partial, to).map_err(io(to))
}

/// What the adapter adds to a matrix, in the order in which the file keeps its rows.
fn added(adapter: &Adapter, shape: &Shape, key: (usize, Target)) -> Result<Tensor> {
    let (a, b) = adapter.parts.get(&key).ok_or_else(|| TrainError::File("a part is missing".into()))?;
    let product = (b.as_tensor().to_dtype(DType::F32)?.matmul(&a.as_tensor().to_dtype(DType::F32)?)?
        * adapter.scale())?;
    match key.1 {
        Target::Q => in_turn(&product, shape.heads),
        Target::K => in_turn(&product, shape.kv_heads),
        _ => Ok(product),
    }
}
