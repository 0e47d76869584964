//! Greedy text is that of llama.cpp on the same files: `fixtures/greedy.json`, recorded by `fixtures/record.py`, which
//! also says where llama.cpp itself hesitated between two tokens.

use std::path::PathBuf;

use concord_domain::ports::{GenerateRequest, Priority};
use concord_inference::{Catalogue, Options, open_language_model};
use serde_json::Value;

/// Every text is llama.cpp's wherever its likeliest token was clearly so, and ten texts or more are so throughout.
async fn compare(name: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let recorded = std::fs::read_to_string(root.join("tests/fixtures/greedy.json")).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    let models = root.join("../../models");
    let catalogue = Catalogue::read(&models.join("catalogue.toml")).unwrap();
    let model = open_language_model(&catalogue, name, &models.join("weights"), Options::default()).unwrap();
    let close = recorded["close"].as_f64().unwrap();
    let cases = recorded["models"][name].as_array().unwrap();
    let (mut wrong, mut clear, mut equal) = (Vec::new(), 0, 0);
    for case in cases {
        let text = |field: &str| case[field].as_str().unwrap();
        let request = GenerateRequest {
            system: recorded["system"].as_str().unwrap().to_owned(),
            user: text("prompt").to_owned(),
            schema: None,
            max_tokens: recorded["tokens"].as_u64().unwrap() as usize,
            temperature: 0.0,
            seed: 1,
            priority: Priority::Batch,
        };
        let written = model.generate(request).await.unwrap_or_else(|error| panic!("{name}: {error}")).text;
        let expected = text("text").trim_end_matches(char::REPLACEMENT_CHARACTER);
        let sure = case["smallest"].as_f64().unwrap() >= close;
        clear += usize::from(sure);
        equal += usize::from(written == expected);
        if (sure && written != expected) || !written.starts_with(text("sure")) {
            wrong.push(format!("{}\n  here: {written}\n  llama.cpp: {expected}", text("prompt")));
        }
    }
    eprintln!("{name}: {equal} of {} equal, {clear} of them clear throughout", cases.len());
    assert!(wrong.is_empty(), "other than {}:\n{}", recorded["by"], wrong.join("\n"));
    assert!(clear >= 10, "{clear} of {} texts are clear throughout", cases.len());
}

#[tokio::test]
async fn smollm_writes_what_llama_cpp_writes() {
    compare("smollm2-135m").await;
}

#[tokio::test]
#[ignore = "needs 1.1 GB of weights: python3 models/fetch.py qwen2.5-coder-1.5b"]
async fn qwen_writes_what_llama_cpp_writes() {
    compare("qwen2.5-coder-1.5b").await;
}
