//! Embeddings by table: the weighted mean of the tokens' vectors. No network, microseconds a text.

use std::path::Path;

use concord_domain::ports::{EmbedKind, ModelError};
use safetensors::{Dtype, SafeTensors};
use tokenizers::Tokenizer;

use super::{Encode, kernel, normalise};
use crate::gguf::LoadError;

/// Token vectors, shared between tokens by a mapping, with a weight a token.
pub(super) struct Table {
    tokenizer: Tokenizer,
    mapping: Vec<usize>,
    weights: Vec<f32>,
    rows: Vec<Vec<f32>>,
}

/// Loads a model2vec table with its `tokenizer.json`.
pub(super) fn load(weights: &Path, tokenizer: &Path) -> Result<Table, LoadError> {
    let bytes = std::fs::read(weights)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| LoadError(error.to_string()))?;
    let tensor = |name: &str, dtype: Dtype| match file.tensor(name) {
        Ok(tensor) if tensor.dtype() == dtype => Ok(tensor),
        Ok(tensor) => Err(LoadError(format!("{name} is {:?}, expected {dtype:?}", tensor.dtype()))),
        Err(error) => Err(LoadError(error.to_string())),
    };
    let embeddings = tensor("embeddings", Dtype::I8)?;
    let width = embeddings.shape().get(1).copied().filter(|width| *width > 0);
    let width = width.ok_or_else(|| LoadError("embeddings is not a matrix".to_owned()))?;
    let rows: Vec<Vec<f32>> = embeddings
        .data()
        .chunks_exact(width)
        .map(|row| row.iter().map(|byte| f32::from(byte.cast_signed())).collect())
        .collect();
    let mapping = tensor("mapping", Dtype::I64)?
        .data()
        .chunks_exact(8)
        .map(|bytes| {
            let row = i64::from_le_bytes(bytes.try_into().unwrap_or_default());
            usize::try_from(row).ok().filter(|row| *row < rows.len())
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| LoadError("mapping points outside embeddings".to_owned()))?;
    let weights: Vec<f32> = tensor("weights", Dtype::F32)?
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap_or_default()))
        .collect();
    if weights.len() != mapping.len() {
        return Err(LoadError(format!("{} weights for {} tokens", weights.len(), mapping.len())));
    }
    let mut tokenizer = Tokenizer::from_file(tokenizer).map_err(|error| LoadError(error.to_string()))?;
    tokenizer.with_padding(None);
    Ok(Table { tokenizer, mapping, weights, rows })
}

impl Encode for Table {
    fn encode(&mut self, _: EmbedKind, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        texts
            .iter()
            .map(|text| {
                let encoded = self.tokenizer.encode_fast(text.as_str(), false).map_err(kernel)?;
                let mut sum = vec![0.0; self.rows.first().map_or(0, Vec::len)];
                for id in encoded.get_ids() {
                    let id = *id as usize;
                    let (Some(row), Some(weight)) = (self.mapping.get(id), self.weights.get(id)) else {
                        continue;
                    };
                    sum.iter_mut().zip(&self.rows[*row]).for_each(|(sum, value)| *sum += weight * value);
                }
                // The mean differs from the sum in length only, and the length is set to 1.
                normalise(&mut sum);
                Ok(sum)
            })
            .collect()
    }
}
