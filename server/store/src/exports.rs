//! Exports: what a policy takes, and the record of what was taken.

mod pick;
mod rows;

pub use pick::{pick, preview, rounds};
pub use rows::{Call, ExportCertificate, Taken, batch, certificates, exported, judges, lineage, rationales};

use crate::Result;
use concord_domain::{AccountId, Export, ExportId, JobState, SampleId};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};

/// Logs that this person was given an export: they know that people agreed on its samples.
///
/// # Errors
/// The database's.
pub async fn log_views(conn: &mut PgConnection, account: AccountId, id: ExportId) -> Result<()> {
    sqlx::query(
        "insert into verdict_views (account_id, sample_id)
         select distinct $1::uuid, sample_id from export_rows where export_id = $2 on conflict do nothing",
    )
    .bind(account.0)
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a model may have learnt from this sample.
///
/// # Errors
/// The database's.
pub async fn holds(conn: &mut PgConnection, sample: SampleId) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select from export_rows where sample_id = $1)")
        .bind(sample.0)
        .fetch_one(conn)
        .await?)
}

/// Records that an export was asked for.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    id: ExportId,
    policy: &str,
    dir: &str,
    created_by: Option<AccountId>,
) -> Result<()> {
    sqlx::query("insert into exports (id, policy, dir, created_by) values ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(policy)
        .bind(dir)
        .bind(created_by.map(|id| id.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// Records that the files are written.
///
/// # Errors
/// The database's.
pub async fn finish(
    conn: &mut PgConnection,
    id: ExportId,
    rows: i64,
    sha256: &str,
    files: &[String],
) -> Result<()> {
    sqlx::query("update exports set rows = $2, sha256 = $3, files = $4, finished_at = now() where id = $1")
        .bind(id.0)
        .bind(rows)
        .bind(sha256)
        .bind(files)
        .execute(conn)
        .await?;
    Ok(())
}

/// Exports, newest first; only `id` if given. The state is that of the export's job.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<ExportId>, limit: i64) -> Result<Vec<Export>> {
    let rows = sqlx::query(
        "select e.*, j.state, j.message from exports e left join jobs j on j.dedupe_key = 'export:' || e.id::text
         where $1::uuid is null or e.id = $1 order by e.created_at desc limit $2",
    )
    .bind(id.map(|id| id.0))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let finished = row.try_get::<Option<Timestamp>, _>("finished_at")?.is_some();
            let state: Option<String> = row.try_get("state")?;
            let state = match state {
                _ if finished => JobState::Done,
                Some(word) => crate::jobs::state_of(&word),
                None => JobState::Failed,
            };
            Ok(Export {
                id: ExportId(row.try_get("id")?),
                created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
                state,
                rows: row.try_get::<Option<i64>, _>("rows")?.unwrap_or(0),
                error: if state == JobState::Failed { row.try_get("message")? } else { None },
                sha256: row.try_get("sha256")?,
                policy: row.try_get("policy")?,
                path: row.try_get("dir")?,
                files: row.try_get("files")?,
            })
        })
        .collect()
}
