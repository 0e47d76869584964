//! Rubric versions; one a task is current.

use crate::{Result, StoreError};
use concord_domain::Rubric;
use sqlx::{PgConnection, Row};

/// Stores a version and, where its task has none, makes it the current one.
///
/// # Errors
/// The database's.
pub async fn add(conn: &mut PgConnection, rubric: &Rubric) -> Result<()> {
    sqlx::query(
        "insert into rubrics (task, version, body, current)
         values ($1, $2, $3, not exists (select 1 from rubrics where task = $1 and current))
         on conflict (task, version) do nothing",
    )
    .bind(&rubric.task)
    .bind(&rubric.version)
    .bind(sqlx::types::Json(rubric))
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into programmes (task) values ($1) on conflict do nothing")
        .bind(&rubric.task)
        .execute(conn)
        .await?;
    Ok(())
}

/// The current version of a task.
///
/// # Errors
/// The database's.
pub async fn current(conn: &mut PgConnection, task: &str) -> Result<Option<Rubric>> {
    let row = sqlx::query("select body from rubrics where task = $1 and current")
        .bind(task)
        .fetch_optional(conn)
        .await?;
    row.map(|row| body(&row)).transpose()
}

/// One version of a task.
///
/// # Errors
/// The database's; [`StoreError::Inconsistent`] if it is not there, as samples reference it.
pub async fn version(conn: &mut PgConnection, task: &str, version: &str) -> Result<Rubric> {
    let row = sqlx::query("select body from rubrics where task = $1 and version = $2")
        .bind(task)
        .bind(version)
        .fetch_optional(conn)
        .await?;
    row.map(|row| body(&row)).transpose()?.ok_or_else(|| StoreError::Inconsistent {
        table: "samples",
        column: "rubric_version",
        why: format!("no rubric {task} {version}"),
    })
}

fn body(row: &sqlx::postgres::PgRow) -> Result<Rubric> {
    Ok(row.try_get::<sqlx::types::Json<Rubric>, _>("body")?.0)
}
