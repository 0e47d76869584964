//! `concord backup` and `concord restore`: the whole database of a project as a folder, and back.

use super::{Outcome, Run};
use crate::cluster::Database;
use crate::project::Project;
use crate::{compose, projects};
use anyhow::{Result, bail};
use concord_service::backup::{self, Manifest};
use sqlx::{ConnectOptions, Connection, PgConnection};
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
        let manifest = backup::backup(&pool, database.project().name(), &args.out).await?;
        print(run.json, "backed up", &manifest, began);
        Ok(Outcome::Done)
    })
    .await
}

pub(super) async fn restore(run: &Run, args: RestoreArgs) -> Result<Outcome> {
    let began = Instant::now();
    run.with_default(async |default| {
        let project = run.project.clone().unwrap_or_default();
        tokio::select! {
            done = restore_to(run, default, project, &args, began) => done,
            () = run.stop.cancelled() => bail!("interrupted"),
        }
    })
    .await
}

async fn restore_to(
    run: &Run,
    default: &Database,
    project: Project,
    args: &RestoreArgs,
    began: Instant,
) -> Result<Outcome> {
    let missing = !project.is_default() && !projects::listed(default).await?.contains(&project);
    let manifest = if missing {
        restore_project(run, default, project, args).await?
    } else {
        restore_into(run, &default.of(project), args).await?
    };
    print(run.json, "restored, and equal by the audit log", &manifest, began);
    Ok(Outcome::Done)
}

async fn restore_into(run: &Run, database: &Database, args: &RestoreArgs) -> Result<Manifest> {
    let pool = compose::connect(&run.config, database).await?;
    let restored = backup::restore(&pool, database.project().name(), &args.dir).await;
    pool.close().await;
    Ok(restored?.manifest)
}

/// A project that is not there, or no longer: its database gets its name when it is whole, so that no server that
/// runs opens half of it.
async fn restore_project(
    run: &Run,
    default: &Database,
    project: Project,
    args: &RestoreArgs,
) -> Result<Manifest> {
    let name = project.database(default.name()).map_err(anyhow::Error::msg)?;
    let aside = format!("{}-{}", default.name(), uuid::Uuid::new_v4().simple());
    super::project::create(default, &aside).await?;
    let restored = restore_into(run, &default.named(&aside, project), args).await;
    let mut conn: PgConnection = default.options().connect().await?;
    match &restored {
        Ok(_) => concord_store::projects::rename(&mut conn, &aside, &name).await?,
        Err(_) => concord_store::projects::remove(&mut conn, &aside).await?,
    }
    conn.close().await?;
    restored
}

fn print(json: bool, done: &str, manifest: &Manifest, began: Instant) {
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = manifest.tables.iter().map(|table| table.bytes).sum();
    let seconds = began.elapsed().as_secs_f64();
    if json {
        let (id, chain) = (manifest.id, &manifest.audit_log);
        println!(
            "{}",
            serde_json::json!({"id": id, "project": manifest.project, "rows": rows, "bytes": bytes, "seconds": seconds, "audit_log": chain})
        );
    } else {
        let head = &manifest.audit_log.head;
        println!("{done}: {rows} rows, {bytes} bytes in {seconds:.1} s, head {head}");
    }
}
