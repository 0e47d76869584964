//! A generation as a batch of jobs.

use crate::Result;
use concord_domain::{Batch, Generation, GenerationId};
use sqlx::{PgConnection, Row};

/// How the jobs of a generation stand.
///
/// # Errors
/// When PostgreSQL does.
pub async fn of(conn: &mut PgConnection, generation: Generation) -> Result<Batch> {
    let row = sqlx::query(
        "select g.priority, j.waiting, j.running, j.paused, f.recent, f.minutes
         from generations g
         cross join lateral (
             select count(*) filter (where state = 'queued') waiting, count(*) filter (where state = 'running') running,
                    count(*) filter (where state = 'paused') paused
             from jobs where kind in ('generate', 'judge') and args ->> 'generation' = g.id::text) j
         cross join lateral (
             select count(*) recent, extract(epoch from (max(finished_at) - greatest(
                        g.created_at, max(finished_at) - interval '15 minutes')))::float8 / 60 minutes
             from generation_users u
             where u.generation_id = g.id and u.stage = 'done' and u.finished_at > (
                 select max(finished_at) - interval '15 minutes' from generation_users
                 where generation_id = g.id and stage = 'done')) f
         where g.id = $1",
    )
    .bind(generation.id.0)
    .fetch_one(conn)
    .await?;
    let (waiting, running, paused) =
        (row.try_get("waiting")?, row.try_get("running")?, row.try_get::<i64, _>("paused")?);
    let recent: i64 = row.try_get("recent")?;
    let minutes: Option<f64> = row.try_get("minutes")?;
    let left = generation.users - generation.users_done - generation.failed;
    #[expect(clippy::cast_precision_loss, reason = "users of a batch")]
    let per_hour = minutes.filter(|it| *it > 0.0 && recent > 0).map(|it| recent as f64 * 60.0 / it);
    let state = match (left, paused, waiting + running) {
        (_, paused, _) if paused > 0 => "paused",
        (0, _, 0) if generation.users_done == 0 && generation.failed > 0 => "stopped",
        (0, _, 0) => "done",
        (_, _, 0) => "stopped",
        _ => "running",
    };
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "seconds of a batch")]
    let seconds_left =
        per_hour.filter(|_| state == "running" && left > 0).map(|rate| (left as f64 * 3600.0 / rate) as i64);
    Ok(Batch {
        generation,
        state: state.to_owned(),
        priority: row.try_get("priority")?,
        waiting,
        running,
        paused,
        per_hour,
        seconds_left,
    })
}

/// Pauses every job of a generation that has not ended; what a worker holds is taken from it. Gives how many.
///
/// # Errors
/// When PostgreSQL does.
pub async fn pause(conn: &mut PgConnection, id: GenerationId) -> Result<u64> {
    let done = sqlx::query(
        "update jobs set state = 'paused', attempts = greatest(attempts - case when state = 'running' then 1 else 0 end, 0),
                lease_owner = null, lease_expires_at = null
         where kind in ('generate', 'judge') and args ->> 'generation' = $1 and state in ('queued', 'running')",
    )
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Puts paused jobs back into the queue. Gives how many.
///
/// # Errors
/// When PostgreSQL does.
pub async fn resume(conn: &mut PgConnection, id: GenerationId) -> Result<u64> {
    let done = sqlx::query(
        "update jobs set state = 'queued', run_after = now()
         where kind in ('generate', 'judge') and args ->> 'generation' = $1 and state = 'paused'",
    )
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the writing of a generation: its users that are not done are stopped, judging of what is written goes on. Gives the
/// users that have samples no judge has seen.
///
/// # Errors
/// When PostgreSQL does.
pub async fn stop(conn: &mut PgConnection, id: GenerationId, why: &str) -> Result<Vec<i64>> {
    sqlx::query(
        "update jobs set state = 'cancelled', finished_at = now(), lease_owner = null, lease_expires_at = null
         where kind = 'generate' and args ->> 'generation' = $1 and state in ('queued', 'running', 'paused')",
    )
    .bind(id.to_string())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update generation_users set stage = 'failed', error = $2, finished_at = now()
         where generation_id = $1 and stage not in ('done', 'failed')",
    )
    .bind(id.0)
    .bind(why)
    .execute(&mut *conn)
    .await?;
    resume(conn, id).await?;
    Ok(sqlx::query_scalar(
        "select distinct user_id from samples where generation_id = $1 and not judged order by 1",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?)
}

/// Gives a generation and its jobs another place in the queue; judging goes one before writing.
///
/// # Errors
/// When PostgreSQL does.
pub async fn set_priority(conn: &mut PgConnection, id: GenerationId, priority: i32) -> Result<()> {
    sqlx::query("update generations set priority = $2 where id = $1")
        .bind(id.0)
        .bind(priority)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update jobs set priority = $2 + case when kind = 'judge' then 1 else 0 end
         where kind in ('generate', 'judge') and args ->> 'generation' = $1 and state in ('queued', 'running', 'paused')",
    )
    .bind(id.to_string())
    .bind(priority)
    .execute(conn)
    .await?;
    Ok(())
}

/// The priority of a generation.
///
/// # Errors
/// When PostgreSQL does.
pub async fn priority(conn: &mut PgConnection, id: GenerationId) -> Result<i32> {
    let found = sqlx::query_scalar("select priority from generations where id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    Ok(found.unwrap_or(10))
}
