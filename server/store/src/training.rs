//! Runs of training.

use crate::Result;
use concord_domain::{AccountId, TrainingRun};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Begins a run, or goes on with the one in its folder on the same data; gives its id.
///
/// # Errors
/// The database's.
pub async fn begin(conn: &mut PgConnection, run: &TrainingRun, by: Option<AccountId>) -> Result<Uuid> {
    Ok(sqlx::query_scalar(
        "insert into training_runs (id, name, role, task, criterion, base, base_sha256, data_sha256, export_id, examples,
                                    left_out, settings, folder, steps, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (folder, data_sha256) do update set
             name = excluded.name, settings = excluded.settings, steps = excluded.steps, state = 'running', why = null,
             starts = training_runs.starts + 1, heard_at = now(), finished_at = null
         returning id",
    )
    .bind(run.id)
    .bind(&run.name)
    .bind(run.role.as_str())
    .bind(&run.task)
    .bind(&run.criterion)
    .bind(&run.base)
    .bind(&run.base_sha256)
    .bind(&run.data_sha256)
    .bind(run.export.map(|id| id.0))
    .bind(run.examples)
    .bind(run.left_out)
    .bind(&run.settings)
    .bind(&run.folder)
    .bind(run.steps)
    .bind(by.map(|id| id.0))
    .fetch_one(conn)
    .await?)
}

/// How far a run is, at a checkpoint: the losses of all its steps so far.
///
/// # Errors
/// The database's.
pub async fn heard(
    conn: &mut PgConnection,
    id: Uuid,
    losses: &[f64],
    tokens_per_second: f64,
    seconds_left: f64,
) -> Result<()> {
    sqlx::query(
        "update training_runs set losses = $2, tokens_per_second = $3, seconds_left = $4, heard_at = now() where id = $1",
    )
    .bind(id)
    .bind(losses)
    .bind(tokens_per_second)
    .bind(seconds_left)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says how a run ended: `stopped`, `done` or `failed`.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut PgConnection, id: Uuid, state: &str, why: Option<&str>) -> Result<()> {
    sqlx::query(
        "update training_runs set state = $2, why = $3, heard_at = now(), finished_at = now(),
                seconds_left = case when $2 = 'done' then 0 else seconds_left end
         where id = $1",
    )
    .bind(id)
    .bind(state)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(())
}

/// Runs, newest first; only `id` if given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<Uuid>) -> Result<Vec<TrainingRun>> {
    let rows = sqlx::query(
        "select r.*, a.email from training_runs r left join accounts a on a.id = r.created_by
         where $1::uuid is null or r.id = $1 order by r.created_at desc limit 200",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.iter().map(run).collect()
}

fn run(row: &sqlx::postgres::PgRow) -> Result<TrainingRun> {
    let role: String = row.try_get("role")?;
    let role = role.parse().map_err(|_| crate::StoreError::Inconsistent {
        table: "training_runs",
        column: "role",
        why: role,
    })?;
    Ok(TrainingRun {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role,
        task: row.try_get("task")?,
        criterion: row.try_get("criterion")?,
        base: row.try_get("base")?,
        base_sha256: row.try_get("base_sha256")?,
        data_sha256: row.try_get("data_sha256")?,
        export: row.try_get::<Option<Uuid>, _>("export_id")?.map(concord_domain::ExportId),
        examples: row.try_get("examples")?,
        left_out: row.try_get("left_out")?,
        settings: row.try_get("settings")?,
        folder: row.try_get("folder")?,
        state: row.try_get("state")?,
        why: row.try_get("why")?,
        steps: row.try_get("steps")?,
        losses: row.try_get("losses")?,
        tokens_per_second: row.try_get("tokens_per_second")?,
        seconds_left: row.try_get("seconds_left")?,
        starts: row.try_get("starts")?,
        by: row.try_get("email")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        heard_at: row.try_get::<Timestamp, _>("heard_at")?.to_jiff(),
        finished_at: row.try_get::<Option<Timestamp>, _>("finished_at")?.map(Timestamp::to_jiff),
    })
}
