//! Measures a language model of the catalogue: reading, writing, judging and memory.
//!
//!     cargo run --release -p concord-inference --example speed -- NAME [WEIGHTS_DIR]

use std::path::PathBuf;
use std::time::Instant;

use concord_domain::ports::{GenerateRequest, Priority, ScoreRequest};
use concord_inference::{Catalogue, Options, open_language_model};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = std::env::args().nth(1).ok_or("name a model of the catalogue")?;
    let weights = std::env::args_os().nth(2).map_or_else(|| root.join("models/weights"), PathBuf::from);
    let catalogue = Catalogue::read(&root.join("models/catalogue.toml"))?;
    let model = open_language_model(&catalogue, &name, &weights, Options::default())?;
    let started = Instant::now();
    println!("{:?}", model.info().await?);
    println!("verified in {:.1} s", started.elapsed().as_secs_f64());

    let history: String =
        (1..=24).map(|item| format!("{item}. 双人徒步露营帐篷 轻便防雨 户外装备 第{item}款\n")).collect();
    let mut request = GenerateRequest {
        system: "根据用户的浏览记录写出兴趣标签，每个标签给出理由和证据编号。只输出 JSON。".to_owned(),
        user: history.clone(),
        schema: None,
        max_tokens: 1,
        temperature: 0.0,
        seed: 1,
        priority: Priority::Person,
    };
    let started = Instant::now();
    model.generate(request.clone()).await?;
    println!("loaded, first answer after {:.1} s", started.elapsed().as_secs_f64());

    // Another first line: nothing of it is in the cache.
    request.system.insert_str(0, "你好。");
    let read = model.generate(request.clone()).await?;
    let seconds = read.millis as f64 / 1e3;
    println!("read {} tokens: {:.1} tokens/s", read.prompt_tokens, read.prompt_tokens as f64 / seconds);

    request.max_tokens = 256;
    request.schema = Some(json!({
        "type": "object",
        "properties": {"tags": {"type": "array", "minItems": 1, "maxItems": 5, "items": {
            "type": "object",
            "properties": {
                "tag": {"type": "string", "minLength": 2, "maxLength": 20},
                "reason": {"type": "string", "minLength": 4, "maxLength": 80},
                "evidence": {"type": "array", "minItems": 1, "maxItems": 4,
                    "items": {"type": "integer", "minimum": 1, "maximum": 24}}
            },
            "required": ["tag", "reason", "evidence"]
        }}},
        "required": ["tags"]
    }));
    let wrote = model.generate(request).await?;
    println!("{}", wrote.text);
    println!(
        "wrote {} tokens ({} forced, truncated: {}): {:.1} tokens/s",
        wrote.output_tokens,
        wrote.forced_tokens,
        wrote.truncated,
        wrote.output_tokens as f64 * 1e3 / wrote.millis as f64
    );

    for round in 0..3 {
        let criteria = ["解释与商品相关吗？", "解释是真实的吗？", "解释具体吗？", "解释通顺吗？"];
        let scored = model
            .score(ScoreRequest {
                system: "你是评审。只回答 Yes 或 No。".to_owned(),
                preamble: String::new(),
                shared: format!(
                    "用户记录：\n{history}商品：露营炉\n解释 {round}：你最近看过帐篷，露营炉正好一起用。\n"
                ),
                questions: criteria.map(|question| format!("{question}回答 Yes 或 No。")).to_vec(),
                answers: vec!["Yes".to_owned(), "No".to_owned()],
                priority: Priority::Batch,
            })
            .await?;
        let verdicts: Vec<_> =
            scored.scores.iter().map(|score| format!("{:.3}", score.p_first.unwrap_or(f64::NAN))).collect();
        println!(
            "4 criteria on {} + {} tokens in {:.2} s: {}",
            scored.prefix_tokens,
            scored.prefilled_tokens.saturating_sub(scored.prefix_tokens),
            scored.millis as f64 / 1e3,
            verdicts.join(" ")
        );
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("peak {line}"));
    }
    Ok(())
}
