//! Measures a language model of the catalogue: reading, writing, judging and memory. Prints a JSON document a line;
//! `tests/benches/inference.py` compares them with llama.cpp's.
//!
//!     cargo run --release -p concord-inference --example speed -- NAME [THREADS [WEIGHTS_DIR]] < work.json
//!
//! The work: `{"prompts": [..], "write": 96, "shared": [..], "questions": [..], "schema": {..}}`.

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use concord_domain::ports::{GenerateRequest, Generated, LanguageModel, Priority, ScoreRequest};
use concord_inference::{CandleModel, Catalogue, Options};
use serde_json::{Value, json};

mod clock;
use clock::Clock;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = std::env::args().nth(1).ok_or("name a model of the catalogue")?;
    let threads = std::env::args().nth(2).map(|it| it.parse()).transpose()?;
    let weights = std::env::args_os().nth(3).map_or_else(|| root.join("models/weights"), PathBuf::from);
    let mut work = String::new();
    std::io::stdin().read_to_string(&mut work)?;
    let work: Value = serde_json::from_str(&work)?;

    let cores = threads.unwrap_or(std::thread::available_parallelism()?.get());
    let clock = Clock { threads: cores };
    let bandwidth = bandwidth(clock);
    say("bandwidth", json!({"bytes_per_second": bandwidth, "threads": cores}));
    let catalogue = Catalogue::read(&root.join("models/catalogue.toml"))?;
    let options = Options { threads: Some(cores), ..Options::default() };
    let model = CandleModel::open(&catalogue, &name, &weights, options)?;
    model.info().await?;
    let started = clock.now();
    model.generate(request("Warm up.", 4, None)).await?;
    say("load", json!({"seconds": clock.now() - started, "peak_bytes": peak()}));

    read_and_write(&model, &work, clock).await?;
    at_once(&model, &work, clock).await?;
    constrained(&model, &work, clock).await?;
    judge(&model, &work, clock).await?;
    let weight_bytes = model.counters().weight_bytes.load(Ordering::Relaxed);
    say("memory", json!({"peak_bytes": peak(), "weight_bytes": weight_bytes}));
    Ok(())
}

fn say(what: &str, mut value: Value) {
    value["what"] = json!(what);
    println!("{value}");
}

fn request(user: &str, max_tokens: usize, schema: Option<&Value>) -> GenerateRequest {
    GenerateRequest {
        system: "You are a helpful assistant.".to_owned(),
        user: user.to_owned(),
        schema: schema.cloned(),
        max_tokens,
        temperature: 0.0,
        seed: 1,
        priority: Priority::Batch,
    }
}

fn texts(work: &Value, name: &str) -> Vec<String> {
    let all = work[name].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// Prompts that share nothing, each read and gone on from.
async fn read_and_write(model: &CandleModel, work: &Value, clock: Clock) -> Result<(), Failure> {
    let write = work["write"].as_u64().unwrap_or(96) as usize;
    for prompt in texts(work, "prompts") {
        let started = clock.now();
        let read = model.generate(request(&prompt, 1, None)).await?;
        let reading = clock.now() - started;
        let started = clock.now();
        let wrote = model.generate(request(&prompt, write, None)).await?;
        let writing = clock.now() - started;
        // The second time all but one token of the prompt is in the cache: each pass writes a token.
        say(
            "one",
            json!({
                "prompt_tokens": read.prompt_tokens, "prefill_seconds": reading,
                "tokens": wrote.output_tokens, "decode_seconds": writing,
            }),
        );
    }
    Ok(())
}

/// Eight requests that come together, all prompts known already: how decoding is shared.
async fn at_once(model: &CandleModel, work: &Value, clock: Clock) -> Result<(), Failure> {
    let write = work["write"].as_u64().unwrap_or(96) as usize;
    let prompts: Vec<String> = texts(work, "prompts").into_iter().cycle().take(8).collect();
    for prompt in &prompts {
        model.generate(request(prompt, 1, None)).await?;
    }
    let started = clock.now();
    let all = prompts.iter().map(|prompt| model.generate(request(prompt, write, None)));
    let tokens = together(all).await?;
    say("eight", json!({"tokens": tokens, "decode_seconds": clock.now() - started}));
    Ok(())
}

/// Runs requests at the same time; the number of tokens they wrote.
async fn together<T>(requests: impl Iterator<Item = T>) -> Result<usize, Failure>
where
    T: Future<Output = Result<Generated, concord_domain::ports::ModelError>>,
{
    let mut waiting: Vec<_> = requests.map(Box::pin).collect();
    let mut tokens = 0;
    std::future::poll_fn(|context| {
        let mut failed = None;
        waiting.retain_mut(|request| match request.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(Ok(wrote)) => {
                tokens += wrote.output_tokens;
                false
            }
            std::task::Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => std::task::Poll::Ready(Err(error)),
            None if waiting.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await?;
    Ok(tokens)
}

/// A document by schema: what masks cost, and what forced tokens save.
async fn constrained(model: &CandleModel, work: &Value, clock: Clock) -> Result<(), Failure> {
    let schema = &work["schema"];
    for prompt in texts(work, "prompts").iter().take(3) {
        model.generate(request(prompt, 1, None)).await?;
        let counters = model.counters();
        let before =
            [&counters.masks, &counters.mask_nanos, &counters.passes].map(|it| it.load(Ordering::Relaxed));
        let started = clock.now();
        let wrote = model.generate(request(prompt, 200, Some(schema))).await?;
        let seconds = clock.now() - started;
        let after =
            [&counters.masks, &counters.mask_nanos, &counters.passes].map(|it| it.load(Ordering::Relaxed));
        say(
            "document",
            json!({
                "tokens": wrote.output_tokens, "forced": wrote.forced_tokens, "seconds": seconds,
                "masks": after[0] - before[0], "mask_seconds": (after[1] - before[1]) as f64 / 1e9,
                "passes": after[2] - before[2], "text": wrote.text,
            }),
        );
    }
    Ok(())
}

/// Samples with four criteria each; all share the start of their prompt, as those of one shopper do.
async fn judge(model: &CandleModel, work: &Value, clock: Clock) -> Result<(), Failure> {
    let questions = texts(work, "questions");
    let started = clock.now();
    let (mut verdicts, mut prefilled) = (0, 0);
    for shared in texts(work, "shared") {
        let scored = model
            .score(ScoreRequest {
                system: "You are a judge. Answer Yes or No.".to_owned(),
                preamble: String::new(),
                shared,
                questions: questions.clone(),
                answers: vec!["Yes".to_owned(), "No".to_owned()],
                priority: Priority::Batch,
            })
            .await?;
        verdicts += scored.scores.len();
        prefilled += scored.prefilled_tokens;
    }
    let seconds = clock.now() - started;
    say("judge", json!({"verdicts": verdicts, "seconds": seconds, "prefilled_tokens": prefilled}));
    Ok(())
}

/// Bytes a second that all threads read together, the best of several passes over memory that no cache holds.
fn bandwidth(clock: Clock) -> f64 {
    // Several passes a try: the time on a core is told in hundredths of a second.
    const PASSES: usize = 6;
    let memory = vec![1_u64; (512 << 20) / 8];
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = clock.now();
        let sum: u64 = std::thread::scope(|scope| {
            let parts = memory.chunks(memory.len().div_ceil(clock.threads));
            let again = |part| (0..PASSES).map(|_| sum(std::hint::black_box(part))).sum::<u64>();
            let sums: Vec<_> = parts.map(|part| scope.spawn(move || again(part))).collect();
            sums.into_iter().filter_map(|it| it.join().ok()).sum()
        });
        assert_eq!(sum, (PASSES * memory.len()) as u64);
        best = best.min(clock.now() - started);
    }
    (PASSES * memory.len() * 8) as f64 / best
}

/// In many lanes: the sum must not wait for itself.
fn sum(part: &[u64]) -> u64 {
    let mut lanes = [0_u64; 32];
    let chunks = part.chunks_exact(32);
    let rest: u64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane = lane.wrapping_add(*value));
    }
    lanes.iter().sum::<u64>() + rest
}

/// The most memory this process ever had, as the kernel counts it.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
