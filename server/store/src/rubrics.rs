//! Rubric versions; one a task is current.

use crate::{Result, StoreError};
use concord_domain::{Rubric, RubricVersion};
use jiff_sqlx::Timestamp;
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

/// Whether a task's rubric has that version.
///
/// # Errors
/// The database's.
pub async fn exists(conn: &mut PgConnection, task: &str, version: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select from rubrics where task = $1 and version = $2)")
        .bind(task)
        .bind(version)
        .fetch_one(conn)
        .await?)
}

/// The versions of a task, newest first; of every task where none is named.
///
/// # Errors
/// The database's.
pub async fn versions(conn: &mut PgConnection, task: Option<&str>) -> Result<Vec<RubricVersion>> {
    let rows = sqlx::query(
        "select r.body, r.current, r.origin, r.created_at,
                (select count(*) from samples s where s.task = r.task and s.rubric_version = r.version) samples
         from rubrics r where $1::text is null or r.task = $1
         order by r.task, string_to_array(r.version, '.')::int[] desc",
    )
    .bind(task)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RubricVersion {
                rubric: body(row)?,
                current: row.try_get("current")?,
                origin: row.try_get("origin")?,
                samples: row.try_get("samples")?,
                created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
            })
        })
        .collect()
}

/// Makes a stored version the one new samples are reviewed by. Samples that nobody has been given take it
/// too where its major version is theirs: labels of one major version are comparable.
///
/// # Errors
/// The database's.
pub async fn make_current(conn: &mut PgConnection, task: &str, version: &str) -> Result<()> {
    sqlx::query("update rubrics set current = false where task = $1 and current")
        .bind(task)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update rubrics set current = true where task = $1 and version = $2")
        .bind(task)
        .bind(version)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update samples s set rubric_version = $2 where s.task = $1 and s.rubric_version <> $2
         and split_part(s.rubric_version, '.', 1) = split_part($2, '.', 1)
         and not exists (select from assignments a where a.sample_id = s.id)
         and not exists (select from labels l where l.sample_id = s.id)",
    )
    .bind(task)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many samples would take this version if it became current: see [`make_current`].
///
/// # Errors
/// The database's.
pub async fn movable(conn: &mut PgConnection, task: &str, version: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from samples s where s.task = $1 and s.rubric_version <> $2
         and split_part(s.rubric_version, '.', 1) = split_part($2, '.', 1)
         and not exists (select from assignments a where a.sample_id = s.id)
         and not exists (select from labels l where l.sample_id = s.id)",
    )
    .bind(task)
    .bind(version)
    .fetch_one(conn)
    .await?)
}

fn body(row: &sqlx::postgres::PgRow) -> Result<Rubric> {
    Ok(row.try_get::<sqlx::types::Json<Rubric>, _>("body")?.0)
}
