//! How good φ is on items labelled elsewhere: `item_category.jsonl` of `CONCORD_BENCH_DATA`, titles with a fine and a coarse
//! category. Every row is predicted once, by a φ trained on the other nine tenths.
//!
//!     cargo run --release -p concord-server --example phi_quality -- DIR [EMBEDDER]

use anyhow::{Context, Result};
use concord_agreement::proportion;
use concord_domain::ports::EmbedKind;
use concord_inference::{Catalogue, Options, open_embedder};
use concord_retrieval::{Phi, PhiTraining};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FOLDS: usize = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().context("say the folder of item_category.jsonl")?);
    let name = args.next().unwrap_or_else(|| "multilingual-e5-small".to_owned());
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let weights = std::env::var("CONCORD_WEIGHTS").map_or_else(|_| models.join("weights"), PathBuf::from);
    let catalogue = Catalogue::read(&models.join("catalogue.toml"))?;
    let embedder = open_embedder(&catalogue, &name, &weights, Options::default())?;
    let file = std::fs::read_to_string(folder.join("item_category.jsonl"))?;
    let rows: Vec<Value> = file.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let title = |row: &Value| {
        row["sentences"].as_str().unwrap_or_default().split('\t').next().unwrap_or_default().to_owned()
    };
    let vectors = embedder.embed(EmbedKind::Query, rows.iter().map(title).collect()).await?;
    println!("{} rows, embedder {name}, {FOLDS} folds", rows.len());
    for level in ["coarse", "fine"] {
        let labels: Vec<String> =
            rows.iter().map(|row| row["labels"][level][0].as_str().unwrap_or_default().to_owned()).collect();
        measure(level, &vectors, &labels);
    }
    Ok(())
}

fn measure(level: &str, vectors: &[Vec<f32>], labels: &[String]) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    labels.iter().for_each(|label| *counts.entry(label).or_default() += 1);
    let (mut right, mut in_five, mut seen, mut nearest) = (0, 0, 0, 0);
    for fold in 0..FOLDS {
        let train: Vec<usize> = (0..labels.len()).filter(|row| row % FOLDS != fold).collect();
        let mut categories: Vec<String> = train.iter().map(|row| labels[*row].clone()).collect();
        categories.sort_unstable();
        categories.dedup();
        let rows: Vec<(&[f32], usize)> = train
            .iter()
            .filter_map(|row| Some((vectors[*row].as_slice(), categories.binary_search(&labels[*row]).ok()?)))
            .collect();
        let Some(phi) = Phi::train(&rows, categories, &PhiTraining::default()) else { continue };
        for row in (0..labels.len()).filter(|row| row % FOLDS == fold) {
            let like =
                |other: usize| -> f32 { vectors[row].iter().zip(&vectors[other]).map(|(a, b)| a * b).sum() };
            let closest = train.iter().copied().max_by(|a, b| like(*a).total_cmp(&like(*b)));
            nearest += u64::from(closest.is_some_and(|it| labels[it] == labels[row]));
            let scores = phi.scores(&vectors[row]);
            let Some(of) = phi.categories().iter().position(|it| *it == labels[row]) else { continue };
            seen += 1;
            let ahead = scores.iter().filter(|score| **score > scores[of]).count();
            right += u64::from(ahead == 0);
            in_five += u64::from(ahead < 5);
        }
    }
    let n = labels.len() as u64;
    let largest = counts.values().max().copied().unwrap_or_default();
    println!("{level}: {} classes; {seen} of {n} rows have their class in the training part", counts.len());
    for (what, k, n) in [
        ("right, of all rows", right, n),
        ("right, of rows whose class was seen", right, seen),
        ("among the five likeliest, of rows whose class was seen", in_five, seen),
        ("nearest title instead of φ, of all rows", nearest, n),
        ("largest class, of all rows", largest, n),
    ] {
        let estimate = proportion(k, n);
        if let (Some(p), Some((low, high))) = (estimate.est, estimate.ci) {
            println!("  {what}: {p:.3} [{low:.3}, {high:.3}], n {n}");
        }
    }
}
