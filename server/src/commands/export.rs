//! `concord export --policy POLICY.toml --out DIR`: what people agree on, as training files.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Context, Result};
use concord_domain::ExportPolicy;
use concord_service::exports::policy;
use std::path::PathBuf;

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy (TOML); without it: every task, blind labels and adjudications, one person, unanimous, for TRL's
    /// SFTTrainer.
    #[arg(long, value_name = "POLICY.toml")]
    policy: Option<PathBuf>,
    /// The folder to write, or s3://BUCKET/PREFIX (credentials from AWS's variables); it must not hold anything yet.
    #[arg(long, value_name = "DIR")]
    out: String,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    let policy: ExportPolicy = match &args.policy {
        None => ExportPolicy::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            policy::read(&text).with_context(|| path.display().to_string())?
        }
    };
    let out = if args.out.contains("://") {
        args.out.clone()
    } else {
        std::path::absolute(&args.out)?.to_string_lossy().into_owned()
    };
    run.with_database(async |database| {
        let concord = compose::compose(&run.config, database).await?;
        let rows = concord.exports.write(&policy, &out).await?;
        if run.json {
            println!("{}", serde_json::json!({"rows": rows, "out": out}));
        } else {
            println!("{rows} rows in {out}");
        }
        Ok(Outcome::Done)
    })
    .await
}
