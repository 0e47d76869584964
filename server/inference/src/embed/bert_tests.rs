//! Against candle's BERT in 32-bit floats, with random weights of a real BERT's shape.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, DTYPE, HiddenAct, PositionEmbeddingType};
use concord_kernels::Isa;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenizers::models::wordlevel::WordLevel;

use super::*;

const SHAPE: Shape = Shape {
    vocab_size: 90,
    hidden_size: 128,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    intermediate_size: 256,
    max_position_embeddings: 80,
    type_vocab_size: 2,
    layer_norm_eps: 1e-6,
};

struct Random(HashMap<String, Tensor>);

impl Random {
    /// Makes each tensor that is asked for, and keeps it for candle.
    fn floats(all: &mut HashMap<String, Tensor>, random: &mut ChaCha8Rng, name: String, shape: &[usize]) {
        let norm = name.contains("LayerNorm");
        let scale = if shape.len() == 2 { 2.0 / (shape[1] as f32).sqrt() } else { 0.1 };
        let one = if norm && name.ends_with("weight") { 1.0 } else { 0.0 };
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| one + scale * random.random_range(-1.0..1.0)).collect();
        all.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    }

    fn new() -> Self {
        let (mut all, mut random) = (HashMap::new(), ChaCha8Rng::seed_from_u64(12));
        let (hidden, feed) = (SHAPE.hidden_size, SHAPE.intermediate_size);
        let mut put = |name: String, shape: &[usize]| Self::floats(&mut all, &mut random, name, shape);
        put("embeddings.word_embeddings.weight".to_owned(), &[SHAPE.vocab_size, hidden]);
        put("embeddings.position_embeddings.weight".to_owned(), &[SHAPE.max_position_embeddings, hidden]);
        put("embeddings.token_type_embeddings.weight".to_owned(), &[SHAPE.type_vocab_size, hidden]);
        let mut norms = vec!["embeddings".to_owned()];
        for layer in 0..SHAPE.num_hidden_layers {
            let layer = format!("encoder.layer.{layer}");
            for (part, rows, columns) in [
                ("attention.self.query", hidden, hidden),
                ("attention.self.key", hidden, hidden),
                ("attention.self.value", hidden, hidden),
                ("attention.output.dense", hidden, hidden),
                ("intermediate.dense", feed, hidden),
                ("output.dense", hidden, feed),
            ] {
                put(format!("{layer}.{part}.weight"), &[rows, columns]);
                put(format!("{layer}.{part}.bias"), &[rows]);
            }
            norms.extend([format!("{layer}.attention.output"), format!("{layer}.output")]);
        }
        for norm in norms {
            put(format!("{norm}.LayerNorm.weight"), &[hidden]);
            put(format!("{norm}.LayerNorm.bias"), &[hidden]);
        }
        Self(all)
    }
}

impl Weights for Random {
    fn matrix(&self, pool: &mut Pool, name: &str, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let floats = self.vector(name, rows * columns)?;
        let bytes: Vec<u8> = floats.iter().flat_map(|it| it.to_le_bytes()).collect();
        Matrix::pack(pool, Format::F32, &bytes, rows, columns).map_err(|error| LoadError(error.to_string()))
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.0.get(name).ok_or_else(|| LoadError(format!("no {name}")))?;
        let floats = tensor.flatten_all()?.to_vec1()?;
        assert_eq!(floats.len(), length, "{name}");
        Ok(floats)
    }
}

fn candle(weights: &Random) -> BertModel {
    let config = Config {
        vocab_size: SHAPE.vocab_size,
        hidden_size: SHAPE.hidden_size,
        num_hidden_layers: SHAPE.num_hidden_layers,
        num_attention_heads: SHAPE.num_attention_heads,
        intermediate_size: SHAPE.intermediate_size,
        hidden_act: HiddenAct::Gelu,
        hidden_dropout_prob: 0.0,
        max_position_embeddings: SHAPE.max_position_embeddings,
        type_vocab_size: SHAPE.type_vocab_size,
        initializer_range: 0.02,
        layer_norm_eps: f64::from(SHAPE.layer_norm_eps),
        pad_token_id: 0,
        position_embedding_type: PositionEmbeddingType::Absolute,
        use_cache: false,
        classifier_dropout: None,
        model_type: None,
    };
    BertModel::load(VarBuilder::from_tensors(weights.0.clone(), DTYPE, &Device::Cpu), &config).unwrap()
}

#[test]
fn vectors_are_those_of_candles_bert_but_for_the_rounding_to_8_bits() {
    let weights = Random::new();
    let (reference, tokenizer) = (candle(&weights), Tokenizer::new(WordLevel::default()));
    let pool = Pool::new(2, Isa::detect()).unwrap();
    let mut bert = Bert::new(&weights, tokenizer, SHAPE, ["", ""], pool).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(13);
    let texts: Vec<Vec<u32>> = [1, 5, 33, 64, 12]
        .map(|length| (0..length).map(|_| random.random_range(0..SHAPE.vocab_size as u32)).collect())
        .to_vec();
    let together = bert.encode_rows(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>());
    for (ids, found) in texts.iter().zip(&together) {
        assert_eq!(&bert.encode_rows(&[ids])[0], found, "a batch changes nothing");
        let ids = Tensor::new(ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let states = reference.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        let mut expected: Vec<f32> = states.mean(1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        super::super::normalise(&mut expected);
        let cosine: f32 = found.iter().zip(&expected).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "cosine {cosine}");
    }
}
