//! Backup and restore: one state of the database as a folder of files, each with its hash, compared with the audit
//! log's chain when it is read back.
//!
//! A backup is written to a folder beside its place and renamed when whole. A restore is one transaction: a file
//! that is not what the manifest says, or rows that are not what the chain says, leave nothing.

mod restore;

pub use restore::{Restored, restore};

use crate::audit_log::{self, hex};
use concord_store::{StoreError, backup, events};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The layout of the folder.
const SCHEMA: &str = "concord.backup/1";
const MANIFEST: &str = "manifest.json";

/// Why there is no backup, or why it was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The target is in use.
    #[error("{0}")]
    InUse(String),
    /// The backup is not what it says it is.
    #[error("{0}; nothing was restored")]
    Broken(String),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A table's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// The table; its file is `NAME.copy`.
    pub name: String,
    /// Its columns in the order of the file.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// The state of the audit log's chain in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// Blocks.
    pub blocks: i64,
    /// The last hash.
    pub head: String,
    /// Rows no block covers.
    pub unsealed: i64,
    /// SHA-256 over them.
    pub tail: String,
}

/// What the folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `concord.backup/1`.
    pub schema: String,
    /// The backup's id, as the log has it.
    pub id: Uuid,
    /// The project whose it is.
    #[serde(default = "default_project")]
    pub project: String,
    /// When.
    pub made_at: jiff::Timestamp,
    /// Version of the program that made it.
    pub code_version: String,
    /// Version of PostgreSQL.
    pub postgres: String,
    /// Migrations of the schema: version and checksum.
    pub migrations: Vec<(i64, String)>,
    /// A place in the log that no row has reached.
    pub log_place: i64,
    /// The chain.
    pub audit_log: ChainState,
    /// The tables.
    pub tables: Vec<TableFile>,
    /// Last values of sequences.
    pub sequences: BTreeMap<String, i64>,
}

/// Writes the whole database as it is now into `out`, which must not be there or be empty. People go on working.
///
/// # Errors
/// [`BackupError`]; `out` is not there then.
pub async fn backup(pool: &PgPool, project: &str, out: &Path) -> Result<Manifest, BackupError> {
    if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::InUse(format!("{} is not empty", out.display())));
    }
    audit_log::seal(pool).await?;
    let id = Uuid::now_v7();
    let partial = beside(out, id);
    let made = write(pool, id, project, &partial).await;
    if made.is_err() {
        fs::remove_dir_all(&partial).ok();
    }
    let (manifest, sha256) = made?;
    if let Err(error) = fs::rename(&partial, out) {
        // Another backup was there first.
        fs::remove_dir_all(&partial).ok();
        return Err(file(out, &error));
    }
    sync_folder(out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let detail = serde_json::json!({
        "manifest_sha256": sha256, "made_at": manifest.made_at, "head": manifest.audit_log.head,
        "dir": fs::canonicalize(out).unwrap_or_else(|_| out.to_owned()),
    });
    let mut conn = pool.acquire().await?;
    events::append(&mut conn, None, "backup", &id.to_string(), &detail).await?;
    Ok(manifest)
}

/// Whose a backup is that was made before there were projects.
fn default_project() -> String {
    "default".to_owned()
}

/// A folder of the same file system: it is renamed into its place.
fn beside(out: &Path, id: Uuid) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    out.with_file_name(format!(".{name}.{id}.partial"))
}

async fn write(
    pool: &PgPool,
    id: Uuid,
    project: &str,
    folder: &Path,
) -> Result<(Manifest, String), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| file(folder, &error))?;
    let mut tx = concord_store::snapshot(pool).await?;
    let made_at = jiff::Timestamp::now();
    let (log_place, postgres) = backup::place(&mut tx).await?;
    let mut tables = Vec::new();
    for table in backup::tables(&mut tx).await? {
        tables.push(write_table(&mut tx, &table, folder).await?);
    }
    let manifest = Manifest {
        schema: SCHEMA.into(),
        id,
        project: project.to_owned(),
        made_at,
        code_version: env!("CARGO_PKG_VERSION").into(),
        postgres,
        migrations: backup::migrations(&mut tx).await?.into_iter().map(|(n, sum)| (n, hex(&sum))).collect(),
        log_place,
        audit_log: chain_state(&mut tx).await?,
        tables,
        sequences: backup::sequences(&mut tx).await?.into_iter().collect(),
    };
    tx.commit().await?;
    let text =
        serde_json::to_vec_pretty(&manifest).map_err(|error| BackupError::Broken(error.to_string()))?;
    let path = folder.join(MANIFEST);
    let mut output = create(&path)?;
    output.write_all(&text).and_then(|()| output.sync_all()).map_err(|error| file(&path, &error))?;
    sync_folder(folder)?;
    Ok((manifest, hex(&Sha256::digest(&text))))
}

async fn write_table(
    conn: &mut PgConnection,
    table: &backup::Table,
    folder: &Path,
) -> Result<TableFile, BackupError> {
    let path = folder.join(format!("{}.copy", table.name));
    let mut output = BufWriter::with_capacity(256 * 1024, create(&path)?);
    let (mut hash, mut rows, mut bytes) = (Sha256::new(), 0, 0);
    let mut pieces = backup::copy_out(conn, table).await?;
    while let Some(piece) = pieces.try_next().await? {
        let piece = piece.as_ref();
        hash.update(piece);
        // COPY's text has a line a row: line ends inside values are escaped.
        rows += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes += piece.len() as u64;
        output.write_all(piece).map_err(|error| file(&path, &error))?;
    }
    let output = output.into_inner().map_err(|error| file(&path, error.error()))?;
    output.sync_all().map_err(|error| file(&path, &error))?;
    let (name, columns) = (table.name.clone(), table.columns.clone());
    Ok(TableFile { name, columns, rows, bytes, sha256: hex(&hash.finalize()) })
}

/// The chain as this snapshot has it.
async fn chain_state(conn: &mut PgConnection) -> Result<ChainState, BackupError> {
    let head = concord_store::audit_log::head(conn).await?;
    let (unsealed, tail) = concord_store::audit_log::tail(conn, head.to_tx).await?;
    Ok(ChainState { blocks: head.block, head: hex(&head.hash), unsealed, tail: hex(&tail) })
}

/// Only the owner reads a backup: it holds everything.
fn create(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| file(path, &error))
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|it| it.sync_all()).map_err(|error| file(folder, &error))
}

fn file(path: &Path, error: &std::io::Error) -> BackupError {
    BackupError::File { path: path.to_owned(), why: error.to_string() }
}
