//! Deleting what has been kept long enough.

use crate::Result;
use sqlx::PgConnection;

/// Rows a statement: a short lock each.
const BATCH: i64 = 10_000;
/// Days that ended jobs are kept.
const JOB_DAYS: i32 = 90;

/// Deletes some behaviours older than so many days; gives how many, 0 when none is left. Those without a time stay.
///
/// # Errors
/// The database's.
pub async fn behaviours(conn: &mut PgConnection, days: u32) -> Result<u64> {
    let done = sqlx::query(
        "delete from behaviours where id in (
            select id from behaviours where at < now() - make_interval(days => $1::int) limit $2)",
    )
    .bind(i32::try_from(days).unwrap_or(i32::MAX))
    .bind(BATCH)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes sessions that have ended.
///
/// # Errors
/// The database's.
pub async fn sessions(conn: &mut PgConnection) -> Result<u64> {
    Ok(sqlx::query("delete from sessions where expires_at < now()").execute(conn).await?.rows_affected())
}

/// Deletes jobs that ended long ago.
///
/// # Errors
/// The database's.
pub async fn jobs(conn: &mut PgConnection) -> Result<u64> {
    let done = sqlx::query(
        "delete from jobs where state in ('done', 'cancelled', 'failed') and finished_at < now() - make_interval(days => $1)",
    )
    .bind(JOB_DAYS)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
