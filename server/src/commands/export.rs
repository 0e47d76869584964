//! `concord export --policy POLICY.toml --out DIR`: what people agree on, as training files.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Context, Result};
use concord_domain::ExportPolicy;
use std::path::PathBuf;

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy (TOML); without it: every task, blind labels, one person, unanimous.
    #[arg(long, value_name = "POLICY.toml")]
    policy: Option<PathBuf>,
    /// The folder to write; it must not hold anything yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    let policy: ExportPolicy = match &args.policy {
        None => ExportPolicy::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            toml::from_str(&text).with_context(|| path.display().to_string())?
        }
    };
    let out = std::path::absolute(&args.out)?;
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let rows = concord.exports.write(&policy, &out).await?;
        if run.json {
            println!("{}", serde_json::json!({"rows": rows, "out": out}));
        } else {
            println!("{rows} rows in {}", out.display());
        }
        Ok(Outcome::Done)
    })
    .await
}
