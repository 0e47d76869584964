//! The models: are the files of the three roles there, and are they the catalogue's.

use super::Check;
use crate::config::Config;
use concord_inference::{Catalogue, Entry, Verification};
use std::path::PathBuf;

pub(super) async fn check(config: &Config) -> Vec<Check> {
    let catalogue = match Catalogue::read(&config.models.join("catalogue.toml")) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            let mend = "run in the repository's folder, or set CONCORD_MODELS to its models folder";
            return vec![Check::problem("models", error.to_string(), mend)];
        }
    };
    let mut checks = Vec::new();
    match &config.llm {
        Some(remote) => {
            let found = format!("{} on {}, for generation and judging", remote.model, remote.url);
            checks.push(Check::ok("llm", found));
        }
        None => {
            checks.push(role("generator", &catalogue, &config.generator_model, config).await);
            checks.push(role("judge", &catalogue, &config.judge_model, config).await);
        }
    }
    checks.push(role("embedder", &catalogue, &config.embedder_model, config).await);
    checks
}

async fn role(role: &str, catalogue: &Catalogue, name: &str, config: &Config) -> Check {
    let entry = match catalogue.entry(name) {
        Ok(entry) => licence(entry),
        Err(error) => {
            let mend = format!("set {role}_model to a model of the catalogue");
            return Check::problem(role, error.to_string(), mend);
        }
    };
    // Hashing a gigabyte for the first time takes seconds.
    let (books, weights, wanted) = (catalogue.clone(), config.weights.clone(), name.to_owned());
    let state = tokio::task::spawn_blocking(move || books.verify(&wanted, &weights)).await;
    match state {
        Ok(Ok(Verification::Ok)) => Check::ok(role, format!("{name}, hash verified, {entry}")),
        Ok(Ok(Verification::Missing { path, sha256, mend })) => {
            let found = format!("{name}, {entry}: {} is missing (sha256 {sha256})", shown(path));
            Check::problem(role, found, mend)
        }
        Ok(Ok(Verification::Changed { path, found, expected, mend })) => {
            let found = format!("{name}, {entry}: {} was changed ({found}, not {expected})", shown(path));
            Check::problem(role, found, mend)
        }
        Ok(Err(error)) => Check::problem(role, error.to_string(), format!("python3 models/fetch.py {name}")),
        Err(error) => Check::problem(role, error.to_string(), "try again"),
    }
}

/// The licence shown is upstream's; what the carrying package fails to state is said too.
fn licence(entry: &Entry) -> String {
    let repack = if entry.repack_licence == "none stated" { ", repack without licence" } else { "" };
    format!("{} ({}){repack}", entry.upstream, entry.upstream_licence)
}

fn shown(path: PathBuf) -> String {
    path.display().to_string()
}
