//! A tiny Llama with drawn weights as Hugging Face keeps it, an adapter learnt on it, and the logits of both together,
//! for `make check-exports`, which loads them with PEFT: `cargo run -p concord-training --example adapter -- DIR [top layers]`.

use candle_core::{DType, Device, Tensor};
use concord_training::{
    Adapter, Example, Frozen, LoraConfig, Run, Schedule, Settings, Shape, Target, TrainError, pack,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

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

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("a folder")?);
    let top_layers = args.next().map_or(Ok(0), |it| it.parse())?;
    std::fs::create_dir_all(&folder)?;
    let (model, tensors) = model()?;
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors"))?;
    std::fs::write(folder.join("config.json"), serde_json::to_vec_pretty(&config())?)?;
    let lora = LoraConfig { rank: 4, alpha: 12.0, targets: Target::ALL.to_vec(), top_layers };
    let adapter = Adapter::new(&model, lora, 1)?;
    let settings = Settings {
        schedule: Schedule { rate: 0.02, warm_up: 3, steps: 30 },
        accumulate: 1,
        length: 14,
        decay: 0.0,
        clip: 1.0,
        seed: 9,
        in_order: false,
    };
    let examples: Vec<Example> = (0..6)
        .map(|n| Example { tokens: vec![n, n + 6, 12, (n * 5) % 11 + 13, n + 2, 23], answer: 3 })
        .collect();
    Run::new(&model, &adapter, settings, &folder, 0).train(&examples, |_| true)?;
    adapter.save(&folder.join("adapter"), &folder.to_string_lossy(), &SHAPE)?;
    let pack = pack(&examples[..1], 14, 0)?.remove(0);
    let before = Adapter::new(&model, LoraConfig::default(), 1)?;
    let logits = |adapter: &Adapter| -> Result<Vec<Vec<f32>>, TrainError> {
        Ok(model.logits(adapter, &pack)?.to_vec2()?)
    };
    let body =
        serde_json::json!({"tokens": pack.tokens, "logits": logits(&adapter)?, "before": logits(&before)?});
    std::fs::write(folder.join("logits.json"), serde_json::to_vec(&body)?)?;
    Ok(())
}

fn config() -> serde_json::Value {
    serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": SHAPE.vocabulary,
        "hidden_size": SHAPE.width, "num_hidden_layers": SHAPE.layers, "num_attention_heads": SHAPE.heads,
        "num_key_value_heads": SHAPE.kv_heads, "intermediate_size": SHAPE.between, "rope_theta": SHAPE.theta,
        "rms_norm_eps": SHAPE.epsilon, "hidden_act": "silu", "tie_word_embeddings": true, "attention_bias": false,
        "max_position_embeddings": 64, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 23,
    })
}

/// A model with weights drawn by a seed, and the weights by Hugging Face's names.
fn model() -> Result<(Frozen, HashMap<String, Tensor>), Failure> {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(5));
    let drawn = RefCell::new(HashMap::new());
    let model = Frozen::new(SHAPE, DType::F32, |name| {
        let dims: Vec<usize> = match name {
            "lm_head.weight" => return Err(TrainError::File("tied".into())),
            _ if name.ends_with("embed_tokens.weight") => vec![24, 16],
            _ if name.ends_with("norm.weight") => vec![16],
            _ if name.contains("k_proj") || name.contains("v_proj") => vec![8, 16],
            _ if name.contains("gate") || name.contains("up_proj") => vec![24, 16],
            _ if name.contains("down") => vec![16, 24],
            _ => vec![16, 16],
        };
        let n = dims.iter().product();
        let bound = if name.ends_with("embed_tokens.weight") { 1.5 } else { 0.5 };
        let values: Vec<f32> = (0..n).map(|_| rng.borrow_mut().random_range(-bound..bound)).collect();
        let tensor = Tensor::from_vec(values, dims, &Device::Cpu)?;
        drawn.borrow_mut().insert(name.to_owned(), tensor.clone());
        Ok(tensor)
    })?;
    Ok((model, drawn.into_inner()))
}
