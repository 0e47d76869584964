//! LoRA learns what it should, by gradients that finite differences confirm; stopped and resumed it ends with the
//! same bits.

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use concord_training::{
    Adapter, Below, Example, Frozen, LoraConfig, Packed, Precision, Run, Schedule, Settings, Shape, Target,
    TrainError, merge, pack,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::path::Path;

const SHAPE: Shape = Shape {
    vocabulary: 24,
    width: 16,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    between: 24,
    theta: 10_000.0,
    epsilon: 1e-5,
};

/// A model with weights drawn by a seed.
fn model(kind: DType) -> Frozen {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(5));
    Frozen::new(SHAPE, kind, |name| {
        if name == "lm_head.weight" {
            return Err(TrainError::File("tied".into()));
        }
        let dims: Vec<usize> = if name.ends_with("embed_tokens.weight") {
            vec![24, 16]
        } else if name.ends_with("norm.weight") {
            return Ok(Tensor::ones(16, kind, &Device::Cpu)?);
        } else if name.contains("k_proj") || name.contains("v_proj") {
            vec![8, 16]
        } else if name.contains("gate") || name.contains("up_proj") {
            vec![24, 16]
        } else if name.contains("down") {
            vec![16, 24]
        } else {
            vec![16, 16]
        };
        let n = dims.iter().product();
        // Wide embeddings: words are told apart by products with them, and little can be said with short ones.
        let bound = if name.ends_with("embed_tokens.weight") { 1.5 } else { 0.5 };
        let drawn: Vec<f64> = (0..n).map(|_| rng.borrow_mut().random_range(-bound..bound)).collect();
        Ok(Tensor::from_vec(drawn, dims, &Device::Cpu)?)
    })
    .expect("a model")
}

fn every_matrix() -> LoraConfig {
    LoraConfig { rank: 3, alpha: 6.0, targets: Target::ALL.to_vec(), top_layers: 0 }
}

fn examples() -> Vec<Example> {
    (0..6).map(|n| Example { tokens: vec![n, n + 6, 12, (n * 5) % 11 + 13, n + 2, 23], answer: 3 }).collect()
}

fn settings(steps: usize) -> Settings {
    Settings {
        schedule: Schedule { rate: 0.02, warm_up: 3, steps },
        accumulate: 2,
        length: 14,
        decay: 0.0,
        clip: 1.0,
        seed: 9,
        in_order: false,
    }
}

fn values(adapter: &Adapter) -> Vec<Vec<f64>> {
    let of = |tensor: &Tensor| {
        tensor
            .flatten_all()
            .and_then(|it| it.to_dtype(DType::F64))
            .and_then(|it| it.to_vec1())
            .expect("numbers")
    };
    adapter.variables().iter().map(|(_, var)| of(var.as_tensor())).collect()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let model = model(DType::F64);
    let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
    // B is zero at first, and then nothing flows to A.
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (_, var) in adapter.variables() {
        let n = var.elem_count();
        let drawn: Vec<f64> = (0..n).map(|_| rng.random_range(-0.3..0.3)).collect();
        var.set(&Tensor::from_vec(drawn, var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
    let packs = pack(&examples(), 14, 1).unwrap();
    let loss = || -> Tensor { model.loss(&adapter, &packs[0]).unwrap() };
    let found = loss().backward().unwrap();
    let mut checked = 0;
    for (name, var) in adapter.variables() {
        let gradient = found.get(var.as_tensor()).unwrap_or_else(|| panic!("{name} got no gradient"));
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let original = var.as_tensor().copy().unwrap();
        let flat: Vec<f64> = original.flatten_all().unwrap().to_vec1().unwrap();
        for at in [0, flat.len() / 2, flat.len() - 1] {
            let moved = |by: f64| {
                let mut flat = flat.clone();
                flat[at] += by;
                var.set(&Tensor::from_vec(flat, var.dims(), &Device::Cpu).unwrap()).unwrap();
                loss().to_scalar::<f64>().unwrap()
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            var.set(&original).unwrap();
            assert!(
                (difference - gradient[at]).abs() < 1e-6 * (1.0 + difference.abs()),
                "{name} {at}: {difference} {}",
                gradient[at]
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * 7 * 2 * 3);
}

#[test]
fn layers_computed_once_more_and_what_is_kept_of_those_below_give_the_same_loss_and_gradients() {
    let model = model(DType::F64);
    for top_layers in [0, 1] {
        let adapter = Adapter::new(&model, LoraConfig { top_layers, ..every_matrix() }, 1).unwrap();
        for (_, var) in adapter.variables() {
            var.set(&(var.as_tensor() + 0.1).unwrap()).unwrap();
        }
        let examples = examples();
        let below = Below::new(&model, &adapter, &examples);
        assert_eq!(below.layers(), usize::from(top_layers == 1));
        for pack in pack(&examples, 14, 4).unwrap() {
            let whole = model.loss(&adapter, &pack).unwrap();
            // Twice: computed, and kept.
            for _ in 0..2 {
                let (loss, above) = model.gradients(&adapter, &pack, &below, 1.0).unwrap();
                let far = (whole.to_scalar::<f64>().unwrap() - loss).abs();
                assert!(far < 1e-10, "{far}");
                let one = whole.backward().unwrap();
                for ((name, var), two) in adapter.variables().into_iter().zip(above) {
                    let one = one.get(var.as_tensor()).expect("a gradient");
                    let far =
                        (one - two).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
                    assert!(far < 1e-10, "{name}: {far}");
                }
            }
        }
    }
}

#[test]
fn packing_changes_nothing_for_an_example() {
    let model = model(DType::F64);
    let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
    let one = |it: &Example| pack(std::slice::from_ref(it), 14, 0).unwrap().remove(0);
    let loss = |pack: &Packed| model.loss(&adapter, pack).unwrap().to_scalar::<f64>().unwrap();
    let together: f64 = pack(&examples(), 18, 4).unwrap().iter().map(loss).sum();
    let apart: f64 = examples().iter().map(|it| loss(&one(it))).sum();
    assert!((together - apart).abs() < 1e-9, "{together} {apart}");
}

#[test]
fn a_tiny_set_is_learnt_by_heart_and_the_same_seed_gives_the_same_weights() {
    let model = model(DType::F32);
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, seed| {
        let adapter = Adapter::new(&model, every_matrix(), seed).unwrap();
        let run = Run::new(&model, &adapter, settings(200), &folder.path().join(name), 0);
        let trained = run.train(&examples(), |_| true).unwrap();
        (values(&adapter), trained.losses)
    };
    let (weights, losses) = train("one", 1);
    assert!(losses[0] > 1.0 && losses[199] < 0.05, "{} to {}", losses[0], losses[199]);
    assert!(train("two", 1) == (weights.clone(), losses), "the same bits");
    assert!(train("three", 2).0 != weights, "another seed");
}

#[test]
fn a_run_that_was_stopped_ends_with_the_same_bits_as_one_that_was_not() {
    let model = model(DType::F32);
    let folder = tempfile::tempdir().unwrap();
    let whole = Adapter::new(&model, every_matrix(), 1).unwrap();
    let unbroken = Run::new(&model, &whole, settings(20), &folder.path().join("whole"), 4)
        .train(&examples(), |_| true)
        .unwrap();
    let at = folder.path().join("broken");
    let first = Adapter::new(&model, every_matrix(), 1).unwrap();
    // Stopped at 10, between checkpoints: steps 9 and 10 are done again.
    Run::new(&model, &first, settings(20), &at, 4).train(&examples(), |it| it.step < 10).unwrap();
    let second = Adapter::new(&model, every_matrix(), 77).unwrap();
    let mut heard = Vec::new();
    let run = Run::new(&model, &second, settings(20), &at, 4);
    let resumed = run
        .train(&examples(), |it| {
            heard.push(it.step);
            it.seconds_left >= 0.0
        })
        .unwrap();
    assert_eq!(heard.first(), Some(&9));
    assert_eq!(resumed.losses, unbroken.losses);
    assert!(values(&second) == values(&whole), "the same bits");
    let other = Run::new(&model, &second, settings(21), &at, 4).train(&examples(), |_| true);
    assert!(other.unwrap_err().to_string().contains("another run"));
}

#[test]
fn only_the_top_layers_are_adapted_where_so_asked_and_peft_names_them() {
    let model = model(DType::F32);
    let top = LoraConfig { top_layers: 1, ..LoraConfig::default() };
    let adapter = Adapter::new(&model, top.clone(), 1).unwrap();
    let names: Vec<String> = adapter.variables().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
    assert_eq!(names.len(), 4);
    let folder = tempfile::tempdir().unwrap();
    adapter.save(folder.path(), "HuggingFaceTB/SmolLM2-135M-Instruct", &SHAPE).unwrap();
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["peft_type"], &config["r"], &config["layers_to_transform"][0]),
        (&"LORA".into(), &8.into(), &1.into())
    );
    let other = Adapter::new(&model, top, 2).unwrap();
    assert_ne!(values(&other), values(&adapter));
    other.load(folder.path()).unwrap();
    assert_eq!(values(&other), values(&adapter));
}

/// A GGUF file of architecture `llama` with drawn weights.
fn gguf(path: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut tensor = |rows: usize, columns: usize| {
        let drawn: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-0.5..0.5)).collect();
        QTensor::quantize(&Tensor::from_vec(drawn, (rows, columns), &Device::Cpu).unwrap(), GgmlDType::F32)
            .unwrap()
    };
    let ones =
        || QTensor::quantize(&Tensor::ones(16, DType::F32, &Device::Cpu).unwrap(), GgmlDType::F32).unwrap();
    let mut all =
        vec![("token_embd.weight".to_owned(), tensor(24, 16)), ("output_norm.weight".to_owned(), ones())];
    for layer in 0..2 {
        for (name, rows, columns) in [
            ("attn_q", 16, 16),
            ("attn_k", 8, 16),
            ("attn_v", 8, 16),
            ("attn_output", 16, 16),
            ("ffn_gate", 24, 16),
            ("ffn_up", 24, 16),
            ("ffn_down", 16, 24),
        ] {
            all.push((format!("blk.{layer}.{name}.weight"), tensor(rows, columns)));
        }
        for name in ["attn_norm", "ffn_norm"] {
            all.push((format!("blk.{layer}.{name}.weight"), ones()));
        }
    }
    let number = |name: &str, value: u32| (format!("llama.{name}"), Value::U32(value));
    let metadata = [
        ("general.architecture".to_owned(), Value::String("llama".into())),
        number("embedding_length", 16),
        number("block_count", 2),
        number("attention.head_count", 4),
        number("attention.head_count_kv", 2),
        number("feed_forward_length", 24),
        number("rope.dimension_count", 4),
        ("llama.attention.layer_norm_rms_epsilon".to_owned(), Value::F32(1e-5)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = all.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut out = std::fs::File::create(path).unwrap();
    gguf_file::write(&mut out, &metadata, &tensors).unwrap();
}

#[test]
fn a_merged_file_says_what_the_model_with_its_adapter_says() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.gguf"), folder.path().join("to.gguf"));
    gguf(&from);
    let model = Frozen::from_gguf(&from, Precision::F32).unwrap();
    let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
    Run::new(&model, &adapter, settings(10), folder.path(), 0).train(&examples(), |_| true).unwrap();
    merge(&from, &adapter, &SHAPE, &to).unwrap();
    let merged = Frozen::from_gguf(&to, Precision::F32).unwrap();
    let none = Adapter::new(&merged, LoraConfig::default(), 1).unwrap();
    let packs = pack(&examples(), 14, 0).unwrap();
    let logits = |model: &Frozen, adapter: &Adapter| -> Vec<f32> {
        model.logits(adapter, &packs[0]).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    let (wanted, found) = (logits(&model, &adapter), logits(&merged, &none));
    let far = wanted.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-3, "{far}");
    let before = logits(&model, &Adapter::new(&model, LoraConfig::default(), 1).unwrap());
    let moved = wanted.iter().zip(&before).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(moved > 0.05, "the adapter changes something: {moved}");
}

#[test]
fn with_matrices_in_sixteen_bits_it_learns_nearly_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from.gguf");
    gguf(&from);
    let learnt = |precision: Precision, place: &str| -> Vec<f64> {
        let model = Frozen::from_gguf(&from, precision).unwrap();
        let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
        let run = Run::new(&model, &adapter, settings(40), &folder.path().join(place), 40);
        run.train(&examples(), |_| true).unwrap().losses
    };
    let (whole, half) = (learnt(Precision::F32, "whole"), learnt(Precision::Bf16, "half"));
    assert!(half[39] < half[0] * 0.7, "it learns: {half:?}");
    for (a, b) in whole.iter().zip(&half) {
        assert!((a - b).abs() < 0.05 * a.max(0.1), "{a} {b}");
    }
    assert_ne!(whole, half, "weights are rounded");
    // A checkpoint is of one precision.
    let model = Frozen::from_gguf(&from, Precision::F32).unwrap();
    let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
    let other = Run::new(&model, &adapter, settings(40), &folder.path().join("half"), 40);
    assert!(other.train(&examples(), |_| true).is_err());
}

#[test]
fn a_judge_learns_the_word_of_its_verdict_and_says_it_of_what_it_has_not_seen() {
    let model = model(DType::F32);
    let (yes, no) = (20, 21);
    // A question of four tokens; people pass it where the second is small. Of one verdict word only the word is learnt.
    let question = |n: u32| [n % 3, 6 + n % 6, (n / 6) % 3, 22];
    let pass = |n: u32| question(n)[1] < 10;
    let example = |n: u32| {
        let mut tokens = question(n).to_vec();
        tokens.push(if pass(n) { yes } else { no });
        Example { tokens, answer: 4 }
    };
    let (learnt, held): (Vec<u32>, Vec<u32>) = (0..90).partition(|n| n % 7 % 3 > 0);
    let adapter = Adapter::new(&model, every_matrix(), 1).unwrap();
    let right = |adapter: &Adapter| {
        let odds = |n: &u32| model.log_odds(adapter, &example(*n), yes, no).unwrap();
        held.iter().filter(|n| (odds(n) > 0.0) == pass(**n)).count()
    };
    let before = right(&adapter);
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { length: 40, accumulate: 1, ..settings(300) };
    let examples: Vec<Example> = learnt.iter().map(|n| example(*n)).collect();
    Run::new(&model, &adapter, settings, folder.path(), 0).train(&examples, |_| true).unwrap();
    let after = right(&adapter);
    let all = held.len();
    assert!(
        after * 20 >= all * 19 && before * 4 <= all * 3,
        "of {all} not seen {before} before, {after} after"
    );
    assert!(model.log_odds(&adapter, &Example { tokens: vec![1], answer: 0 }, yes, no).is_err());
}
