//! `concord backup` and `concord restore`: the whole database as a folder, and back.

use super::{Outcome, Run};
use crate::compose;
use anyhow::Result;
use concord_service::backup::{self, Manifest};
use std::path::PathBuf;
use std::time::Instant;

/// Where to.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// The folder to make.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// From where.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The folder that `concord backup` made.
    dir: PathBuf,
}

pub(super) async fn back_up(run: &Run, args: BackupArgs) -> Result<Outcome> {
    let began = Instant::now();
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        let manifest = backup::backup(&pool, &args.out).await?;
        print(run.json, "backed up", &manifest, began);
        Ok(Outcome::Done)
    })
    .await
}

pub(super) async fn restore(run: &Run, args: RestoreArgs) -> Result<Outcome> {
    let began = Instant::now();
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        let restored = backup::restore(&pool, &args.dir).await?;
        print(run.json, "restored, and equal by the audit log", &restored.manifest, began);
        Ok(Outcome::Done)
    })
    .await
}

fn print(json: bool, done: &str, manifest: &Manifest, began: Instant) {
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = manifest.tables.iter().map(|table| table.bytes).sum();
    let seconds = began.elapsed().as_secs_f64();
    if json {
        let (id, chain) = (manifest.id, &manifest.audit_log);
        println!(
            "{}",
            serde_json::json!({"id": id, "rows": rows, "bytes": bytes, "seconds": seconds, "audit_log": chain})
        );
    } else {
        let head = &manifest.audit_log.head;
        println!("{done}: {rows} rows, {bytes} bytes in {seconds:.1} s, head {head}");
    }
}
