//! Measures an embedding model of the catalogue: `{"texts": [..]}` in, seconds and vectors out.
//!
//!     cargo run --release -p concord-inference --example embeddings -- NAME [THREADS [WEIGHTS_DIR]] < work.json

use std::io::Read;
use std::path::PathBuf;

use concord_domain::ports::{EmbedKind, Embedder};
use concord_inference::{Catalogue, LocalEmbedder, Options};
use serde_json::{Value, json};

mod clock;
use clock::Clock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = std::env::args().nth(1).ok_or("name a model of the catalogue")?;
    let threads = std::env::args().nth(2).map(|it| it.parse()).transpose()?;
    let weights = std::env::args_os().nth(3).map_or_else(|| root.join("models/weights"), PathBuf::from);
    let mut work = String::new();
    std::io::stdin().read_to_string(&mut work)?;
    let work: Value = serde_json::from_str(&work)?;
    let texts = work["texts"].as_array().cloned().unwrap_or_default();
    let texts: Vec<String> = texts.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect();

    let catalogue = Catalogue::read(&root.join("models/catalogue.toml"))?;
    let clock = Clock { threads: threads.unwrap_or(std::thread::available_parallelism()?.get()) };
    let options = Options { threads: Some(clock.threads), ..Options::default() };
    let model = LocalEmbedder::open(&catalogue, &name, &weights, options)?;
    model.embed(EmbedKind::Passage, vec!["warm up".to_owned()]).await?;
    let started = clock.now();
    let vectors = model.embed(EmbedKind::Passage, texts.clone()).await?;
    let seconds = clock.now() - started;
    let started = clock.now();
    model.embed(EmbedKind::Passage, texts).await?;
    let again = clock.now() - started;
    let some: Vec<_> = vectors.iter().take(20).collect();
    println!(
        "{}",
        json!({"texts": vectors.len(), "seconds": seconds, "cached_seconds": again, "vectors": some})
    );
    Ok(())
}
