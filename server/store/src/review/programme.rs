//! How the review of each task is run.

use super::assignments::count_slots;
use crate::{Result, StoreError};
use concord_domain::{Programme, Third};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// How the review is run, by task: of that task, or of all.
///
/// # Errors
/// The database's.
pub async fn programmes(conn: &mut PgConnection, task: Option<&str>) -> Result<Vec<(String, Programme)>> {
    let rows = sqlx::query("select * from programmes where $1::text is null or task = $1 order by task")
        .bind(task)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("task")?, programme_row(row)?))).collect()
}

/// How the review of a task is run.
///
/// # Errors
/// The database's.
pub async fn programme(conn: &mut PgConnection, task: &str) -> Result<Option<Programme>> {
    Ok(programmes(conn, Some(task)).await?.pop().map(|(_, programme)| programme))
}

fn programme_row(row: &sqlx::postgres::PgRow) -> Result<Programme> {
    let third: String = row.try_get("third")?;
    let third = match third.as_str() {
        "never" => Third::Never,
        "tie" => Third::Tie,
        "any" => Third::Any,
        other => {
            return Err(StoreError::Inconsistent {
                table: "programmes",
                column: "third",
                why: other.to_owned(),
            });
        }
    };
    Ok(Programme {
        overlap: row.try_get("overlap")?,
        lease_seconds: row.try_get("lease_seconds")?,
        gold_rate: row.try_get("gold_rate")?,
        audit_share: row.try_get("audit_share")?,
        repeat_rate: row.try_get("repeat_rate")?,
        repeat_after_days: row.try_get("repeat_after_days")?,
        third,
        assisted: row.try_get("assisted")?,
        assisted_rate: row.try_get("assisted_rate")?,
    })
}

/// Changes how the review of a task is run; samples up for review get the new overlap, and live
/// assignments keep their slots. `false` if there is no such task.
///
/// # Errors
/// The database's.
pub async fn set_programme(conn: &mut PgConnection, task: &str, programme: &Programme) -> Result<bool> {
    let done = sqlx::query(
        "update programmes set overlap = $2, lease_seconds = $3, gold_rate = $4, audit_share = $5, repeat_rate = $6,
                repeat_after_days = $7, third = $8, assisted = $9, assisted_rate = $10 where task = $1",
    )
    .bind(task)
    .bind(programme.overlap)
    .bind(programme.lease_seconds)
    .bind(programme.gold_rate)
    .bind(programme.audit_share)
    .bind(programme.repeat_rate)
    .bind(programme.repeat_after_days)
    .bind(programme.third.as_str())
    .bind(programme.assisted)
    .bind(programme.assisted_rate)
    .execute(&mut *conn)
    .await?;
    // A third person stays asked for.
    let samples: Vec<Uuid> = sqlx::query_scalar(
        "select id from samples where task = $1 and overlap > 0 and overlap <> $2 + extended::int order by id for update",
    )
    .bind(task)
    .bind(programme.overlap)
    .fetch_all(&mut *conn)
    .await?;
    // Closed first: the count of free slots may not exceed the overlap at any moment.
    sqlx::query("update samples set open_slots = 0, overlap = $2 + extended::int where id = any($1)")
        .bind(&samples)
        .bind(programme.overlap)
        .execute(&mut *conn)
        .await?;
    count_slots(conn, &samples).await?;
    Ok(done.rows_affected() == 1)
}
