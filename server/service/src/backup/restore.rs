//! A backup, read back into an empty database and compared with the chain.

use super::{BackupError, MANIFEST, Manifest, SCHEMA, TableFile, chain_state, file};
use crate::audit_log::{self, Verified, hex};
use concord_store::backup::{self, Table};
use concord_store::{MIGRATOR, events, roles};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// Rows in all.
    pub rows: u64,
    /// The chain, read from end to end in the restored database.
    pub verified: Verified,
}

/// Restores a backup into this database, which must be empty, and brings it to this program's schema.
///
/// # Errors
/// [`BackupError`]; but for the schema the database is empty then.
pub async fn restore(pool: &PgPool, project: &str, folder: &Path) -> Result<Restored, BackupError> {
    let manifest = read_manifest(folder)?;
    if manifest.project != project {
        return Err(BackupError::InUse(format!(
            "this is a backup of the project {}, and no other project is to have its data: say --project {}",
            manifest.project, manifest.project
        )));
    }
    check_migrations(&manifest)?;
    let mut conn = pool.acquire().await?;
    if let Some(table) = backup::in_use(&mut conn).await? {
        return Err(BackupError::InUse(format!(
            "this database is in use ({table} has rows): restore into an empty one"
        )));
    }
    drop(conn);
    let newest = manifest.migrations.last().map_or(0, |(version, _)| *version);
    MIGRATOR.run_to(newest, pool).await.map_err(migration)?;
    let mut tx = pool.begin().await?;
    let rows = load(&mut tx, &manifest, folder).await?;
    let verified = compare(&mut tx, &manifest).await?;
    let detail = serde_json::json!({"made_at": manifest.made_at, "head": manifest.audit_log.head});
    events::append(&mut tx, None, "restore", &manifest.id.to_string(), &detail).await?;
    tx.commit().await?;
    MIGRATOR.run(pool).await.map_err(migration)?;
    roles::grant(&mut *pool.acquire().await?, false).await?;
    Ok(Restored { manifest, rows, verified })
}

fn read_manifest(folder: &Path) -> Result<Manifest, BackupError> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|error| file(&path, &error))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| BackupError::File { path: path.clone(), why: error.to_string() })?;
    if manifest.schema != SCHEMA {
        let why = format!("is {}, and this version reads {SCHEMA}", manifest.schema);
        return Err(BackupError::File { path, why });
    }
    Ok(manifest)
}

/// The backup's schema must be one that this program has been at.
fn check_migrations(manifest: &Manifest) -> Result<(), BackupError> {
    for (version, checksum) in &manifest.migrations {
        let ours = MIGRATOR.iter().find(|it| it.version == *version);
        if ours.is_none_or(|it| hex(&it.checksum) != *checksum) {
            return Err(BackupError::Broken(format!(
                "the backup's schema has the migration {version}, which this version ({}) does not: use the version that made it, {}",
                env!("CARGO_PKG_VERSION"),
                manifest.code_version
            )));
        }
    }
    Ok(())
}

async fn load(conn: &mut PgConnection, manifest: &Manifest, folder: &Path) -> Result<u64, BackupError> {
    let tables = backup::tables(conn).await?;
    for table in &tables {
        let listed = manifest.tables.iter().find(|it| it.name == table.name);
        if listed.is_none_or(|it| it.columns != table.columns) {
            return Err(BackupError::Broken(format!(
                "{} is not in the backup as this schema has it",
                table.name
            )));
        }
    }
    if tables.len() != manifest.tables.len() {
        return Err(BackupError::Broken("the backup has tables that its schema does not".into()));
    }
    let keys = backup::prepare(conn, &tables).await?;
    let mut rows = 0;
    for (table, listed) in tables.iter().zip(&manifest.tables) {
        rows += load_table(conn, table, listed, folder).await?;
    }
    let sequences: Vec<(String, i64)> = manifest.sequences.clone().into_iter().collect();
    backup::finish(conn, &tables, &keys, &sequences, manifest.log_place).await?;
    Ok(rows)
}

async fn load_table(
    conn: &mut PgConnection,
    table: &Table,
    listed: &TableFile,
    folder: &Path,
) -> Result<u64, BackupError> {
    let path = folder.join(format!("{}.copy", table.name));
    let mut input = File::open(&path).map_err(|error| file(&path, &error))?;
    let mut hash = Sha256::new();
    let rows = backup::copy_in(conn, table, async || {
        let mut piece = vec![0; PIECE];
        let read = input.read(&mut piece).map_err(|error| file(&path, &error))?;
        piece.truncate(read);
        hash.update(&piece);
        Ok::<_, BackupError>((read > 0).then_some(piece))
    })
    .await?;
    if rows != listed.rows || hex(&hash.finalize()) != listed.sha256 {
        return Err(BackupError::Broken(format!("{} is not the file that was written", path.display())));
    }
    Ok(rows)
}

/// The chain must hold, and end where the backup's did.
async fn compare(conn: &mut PgConnection, manifest: &Manifest) -> Result<Verified, BackupError> {
    let verified = audit_log::verify_in(conn, None).await?;
    if let Some(problem) = verified.problems.first() {
        return Err(BackupError::Broken(format!(
            "the audit log of the backup does not hold: {}",
            problem.what
        )));
    }
    if chain_state(conn).await? != manifest.audit_log {
        return Err(BackupError::Broken("the rows are not those that the manifest's chain covers".into()));
    }
    Ok(verified)
}

fn migration(error: sqlx::migrate::MigrateError) -> BackupError {
    BackupError::Store(sqlx::Error::from(error).into())
}
