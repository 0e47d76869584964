//! `concord migrate`: the schema of every project, or of one, up to this program's version. Safe to repeat.

use super::{Outcome, Run};
use crate::cluster::Database;
use crate::{compose, projects};
use anyhow::{Context, Result, bail};
use concord_store::{MIGRATOR, backup, roles};
use sqlx::migrate::{Migrate, Migration};
use sqlx::{ConnectOptions, Connection};

/// How.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Say what would be done, and try it in a transaction that is rolled back. It takes the locks that the
    /// migration takes, for as long as that runs, and waits for none longer than three seconds.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        if args.dry_run {
            return dry_run(run, database).await;
        }
        migrate(database).await?;
        let mut projects = Vec::new();
        if run.project.is_none() {
            for project in projects::listed(database).await? {
                migrate(&database.of(project.clone())).await.with_context(|| format!("project {project}"))?;
                projects.push(project.to_string());
            }
        }
        let migrations = MIGRATOR.iter().count();
        if run.json {
            println!("{}", serde_json::json!({ "migrations": migrations, "projects": projects }));
        } else {
            let more =
                if projects.is_empty() { String::new() } else { format!(", and {}", projects.join(", ")) };
            println!("schema up to date, {migrations} migrations ({}{more})", database.describe());
        }
        Ok(Outcome::Done)
    })
    .await
}

async fn migrate(database: &Database) -> Result<()> {
    let mut connection = database.options().connect().await.context("cannot connect to the database")?;
    MIGRATOR.run(&mut connection).await.context("the schema could not be brought up to date")?;
    roles::grant(&mut connection, database.is_private()).await?;
    connection.close().await?;
    Ok(())
}

async fn dry_run(run: &Run, database: &Database) -> Result<Outcome> {
    let pool = compose::connect(&run.config, database).await?;
    let mut connection = pool.acquire().await?;
    // An error means that there is no such table yet: a database that was never migrated.
    let applied = connection.list_applied_migrations(&MIGRATOR.table_name).await.unwrap_or_default();
    drop(connection);
    for it in &applied {
        match MIGRATOR.iter().find(|ours| ours.version == it.version) {
            None => bail!("the database has migration {} of a newer concord: run that one", it.version),
            Some(ours) if ours.checksum != it.checksum => {
                bail!("migration {} was applied with another content", it.version)
            }
            Some(_) => {}
        }
    }
    let pending: Vec<&Migration> =
        MIGRATOR.iter().filter(|ours| applied.iter().all(|it| it.version != ours.version)).collect();
    let took =
        backup::rehearse(&pool, &pending).await.context("a migration would fail; nothing was changed")?;
    if run.json {
        let pending: Vec<_> =
            took.iter().map(|(version, ms)| serde_json::json!({"version": version, "ms": ms})).collect();
        println!("{}", serde_json::json!({"applied": applied.len(), "pending": pending}));
        return Ok(Outcome::Done);
    }
    println!("{} migrations are applied, {} would be:", applied.len(), pending.len());
    for (migration, (_, ms)) in pending.iter().zip(took) {
        println!("  {} {} ({ms} ms here)", migration.version, migration.description);
    }
    Ok(Outcome::Done)
}
