//! BERT embedders: mean of the last hidden states over the real tokens, scaled to length 1.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, DTYPE};
use concord_domain::ports::{EmbedKind, ModelError};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

use super::{Encode, kernel};
use crate::gguf::LoadError;

/// Texts that go through the model together.
const BATCH: usize = 16;

/// A BERT with its tokenizer.
pub(super) struct Bert {
    pub(super) model: BertModel,
    pub(super) tokenizer: Tokenizer,
    /// Put before queries and before passages; e5 was trained with them.
    pub(super) prefixes: [&'static str; 2],
}

/// Loads safetensors with a `tokenizer.json` and a `config.json`.
pub(super) fn load(weights: &Path, tokenizer: &Path, config: &Path) -> Result<Bert, LoadError> {
    let config: Config =
        serde_json::from_slice(&std::fs::read(config)?).map_err(|error| LoadError(error.to_string()))?;
    let tensors = VarBuilder::from_buffered_safetensors(std::fs::read(weights)?, DTYPE, &Device::Cpu)?;
    let model = BertModel::load(tensors, &config)?;
    let tokenizer = Tokenizer::from_file(tokenizer).map_err(|error| LoadError(error.to_string()))?;
    Bert::new(model, tokenizer, &config, ["", ""])
}

impl Bert {
    /// Sets the tokenizer up for batches, whatever its file said.
    pub(super) fn new(
        model: BertModel,
        mut tokenizer: Tokenizer,
        config: &Config,
        prefixes: [&'static str; 2],
    ) -> Result<Self, LoadError> {
        let truncation =
            TruncationParams { max_length: config.max_position_embeddings.min(512), ..Default::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| LoadError(error.to_string()))?;
        let pad_id = config.pad_token_id as u32;
        tokenizer.with_padding(Some(PaddingParams { pad_id, ..Default::default() }));
        Ok(Self { model, tokenizer, prefixes })
    }

    fn encode_batch(&self, texts: Vec<String>) -> candle_core::Result<Vec<Vec<f32>>> {
        let encoded = self.tokenizer.encode_batch_fast(texts, true).map_err(candle_core::Error::wrap)?;
        let ids: Vec<&[u32]> = encoded.iter().map(tokenizers::Encoding::get_ids).collect();
        let mask: Vec<&[u32]> = encoded.iter().map(tokenizers::Encoding::get_attention_mask).collect();
        let stack = |rows: &[&[u32]]| {
            let width = rows.first().map_or(0, |row| row.len());
            Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)
        };
        let (ids, mask) = (stack(&ids)?, stack(&mask)?);
        let states = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = states.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        let mut vectors = mean.to_vec2::<f32>()?;
        vectors.iter_mut().for_each(|vector| super::normalise(vector));
        Ok(vectors)
    }
}

impl Encode for Bert {
    fn encode(&self, kind: EmbedKind, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let prefix = self.prefixes[usize::from(kind == EmbedKind::Passage)];
        // Texts of one length side by side: little padding.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| texts[*index].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in order.chunks(BATCH) {
            let batch_texts = batch.iter().map(|index| format!("{prefix}{}", texts[*index])).collect();
            let encoded = self.encode_batch(batch_texts).map_err(kernel)?;
            for (index, vector) in batch.iter().zip(encoded) {
                vectors[*index] = vector;
            }
        }
        Ok(vectors)
    }
}
