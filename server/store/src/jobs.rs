//! The durable queue: enqueue, claim with `SKIP LOCKED`, renew, finish, retry.

use crate::Result;
use concord_domain::{AccountId, Job, JobId, JobState};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Work to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Kind, which names the code that runs it.
    pub kind: &'static str,
    /// What to work on.
    pub args: serde_json::Value,
    /// Higher first.
    pub priority: i32,
    /// The same key twice is one job.
    pub dedupe_key: Option<String>,
    /// Who asked.
    pub created_by: Option<AccountId>,
}

/// A job a worker holds.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its id.
    pub id: JobId,
    /// Kind.
    pub kind: String,
    /// What to work on.
    pub args: serde_json::Value,
    /// Which try this is, from 1.
    pub attempt: i32,
    /// Tries allowed.
    pub max_attempts: i32,
}

/// Queues a job; `false` if one with its key is there already.
///
/// # Errors
/// The database's.
pub async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<bool> {
    let done = sqlx::query(
        "insert into jobs (id, kind, args, priority, dedupe_key, created_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (dedupe_key) do nothing",
    )
    .bind(job.id.0)
    .bind(job.kind)
    .bind(&job.args)
    .bind(job.priority)
    .bind(&job.dedupe_key)
    .bind(job.created_by.map(|id| id.0))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the next job of these kinds, if any: queued ones that are due, and running ones whose lease ran
/// out because their worker died.
///
/// # Errors
/// The database's.
pub async fn claim(
    conn: &mut PgConnection,
    owner: Uuid,
    kinds: &[&str],
    lease_seconds: i32,
) -> Result<Option<Claimed>> {
    let row = sqlx::query(
        "update jobs set state = 'running', attempts = attempts + 1, lease_owner = $1,
                lease_expires_at = now() + make_interval(secs => $3), started_at = coalesce(started_at, now())
         where id = (
            select id from jobs
            where kind = any($2) and ((state = 'queued' and run_after <= now())
                                      or (state = 'running' and lease_expires_at < now()))
            order by priority desc, created_at, id limit 1 for update skip locked)
         returning id, kind, args, attempts, max_attempts",
    )
    .bind(owner)
    .bind(kinds)
    .bind(f64::from(lease_seconds))
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Claimed {
        id: JobId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        args: row.try_get("args")?,
        attempt: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
    }))
}

/// Renews the lease; `false` when the job is no longer this worker's (cancelled, or claimed by another).
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut PgConnection, id: JobId, owner: Uuid, lease_seconds: i32) -> Result<bool> {
    let done = sqlx::query(
        "update jobs set lease_expires_at = now() + make_interval(secs => $3)
         where id = $1 and lease_owner = $2 and state = 'running'",
    )
    .bind(id.0)
    .bind(owner)
    .bind(f64::from(lease_seconds))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says how far it is.
///
/// # Errors
/// The database's.
pub async fn progress(
    conn: &mut PgConnection,
    id: JobId,
    done: i64,
    total: i64,
    message: &str,
) -> Result<()> {
    sqlx::query("update jobs set done = $2, total = $3, message = $4 where id = $1 and state = 'running'")
        .bind(id.0)
        .bind(done)
        .bind(total)
        .bind(message)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks it done.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, id: JobId, owner: Uuid) -> Result<()> {
    sqlx::query(
        "update jobs set state = 'done', finished_at = now(), message = null, lease_owner = null, lease_expires_at = null
         where id = $1 and lease_owner = $2 and state = 'running'",
    )
    .bind(id.0)
    .bind(owner)
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts it back to try again after a while. `counted` says whether this try counts: waiting for a part
/// that is missing does not.
///
/// # Errors
/// The database's.
pub async fn retry(
    conn: &mut PgConnection,
    id: JobId,
    owner: Uuid,
    after_seconds: i32,
    counted: bool,
    message: &str,
) -> Result<()> {
    sqlx::query(
        "update jobs set state = 'queued', run_after = now() + make_interval(secs => $3), message = $4,
                attempts = attempts - case when $5 then 0 else 1 end, lease_owner = null, lease_expires_at = null
         where id = $1 and lease_owner = $2 and state = 'running'",
    )
    .bind(id.0)
    .bind(owner)
    .bind(f64::from(after_seconds))
    .bind(message)
    .bind(counted)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives it up.
///
/// # Errors
/// The database's.
pub async fn fail(conn: &mut PgConnection, id: JobId, owner: Uuid, message: &str) -> Result<()> {
    sqlx::query(
        "update jobs set state = 'failed', finished_at = now(), message = $3, lease_owner = null, lease_expires_at = null
         where id = $1 and lease_owner = $2 and state = 'running'",
    )
    .bind(id.0)
    .bind(owner)
    .bind(message)
    .execute(conn)
    .await?;
    Ok(())
}

/// Cancels a job that has not ended, and gives its kind and arguments; `None` if there is none.
///
/// # Errors
/// The database's.
pub async fn cancel(conn: &mut PgConnection, id: JobId) -> Result<Option<(String, serde_json::Value)>> {
    Ok(sqlx::query_as(
        "update jobs set state = 'cancelled', finished_at = now(), lease_owner = null, lease_expires_at = null
         where id = $1 and state in ('queued', 'running', 'paused') returning kind, args",
    )
    .bind(id.0)
    .fetch_optional(conn)
    .await?)
}

/// Cancels the job with this key, if it has not ended.
///
/// # Errors
/// The database's.
pub async fn cancel_keyed(conn: &mut PgConnection, key: &str) -> Result<()> {
    sqlx::query(
        "update jobs set state = 'cancelled', finished_at = now(), lease_owner = null, lease_expires_at = null
         where dedupe_key = $1 and state in ('queued', 'running', 'paused')",
    )
    .bind(key)
    .execute(conn)
    .await?;
    Ok(())
}

/// Raises the priority of queued jobs with these keys.
///
/// # Errors
/// The database's.
pub async fn raise(conn: &mut PgConnection, keys: &[String], priority: i32) -> Result<()> {
    // Skips what a worker claims at this moment: it needs no priority any more.
    sqlx::query(
        "update jobs set priority = $2 where id in (
            select id from jobs where dedupe_key = any($1) and state = 'queued' and priority < $2
            for update skip locked)",
    )
    .bind(keys)
    .bind(priority)
    .execute(conn)
    .await?;
    Ok(())
}

/// A job got somewhere: its tries count from here.
///
/// # Errors
/// The database's.
pub async fn got_somewhere(conn: &mut PgConnection, key: &str) -> Result<()> {
    sqlx::query("update jobs set attempts = 1 where dedupe_key = $1 and state = 'running' and attempts > 1")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest jobs that wait, run or failed.
///
/// # Errors
/// The database's.
pub async fn recent(conn: &mut PgConnection, limit: i64) -> Result<Vec<Job>> {
    let rows = sqlx::query(
        "select * from jobs where state in ('queued', 'running', 'paused', 'failed')
         order by (state = 'running') desc, (state = 'queued') desc, priority desc, created_at limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(job).collect()
}

/// How many jobs of these kinds have not ended.
///
/// # Errors
/// The database's.
pub async fn pending(conn: &mut PgConnection, kinds: &[&str]) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from jobs where kind = any($1) and state in ('queued', 'running')",
    )
    .bind(kinds)
    .fetch_one(conn)
    .await?)
}

fn job(row: &sqlx::postgres::PgRow) -> Result<Job> {
    let state: String = row.try_get("state")?;
    Ok(Job {
        id: JobId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        state: state_of(&state),
        done: row.try_get("done")?,
        total: row.try_get("total")?,
        message: row.try_get("message")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        started_at: row.try_get::<Option<Timestamp>, _>("started_at")?.map(Timestamp::to_jiff),
        finished_at: row.try_get::<Option<Timestamp>, _>("finished_at")?.map(Timestamp::to_jiff),
    })
}

/// The state of that word; the table's check allows no other.
#[must_use]
pub fn state_of(word: &str) -> JobState {
    match word {
        "queued" => JobState::Queued,
        "running" => JobState::Running,
        "done" => JobState::Done,
        "cancelled" => JobState::Cancelled,
        "paused" => JobState::Paused,
        _ => JobState::Failed,
    }
}

/// Queues a job, or queues the ended one with its key again.
///
/// # Errors
/// The database's.
pub async fn enqueue_again(conn: &mut PgConnection, job: &NewJob) -> Result<()> {
    if enqueue(conn, job).await? {
        return Ok(());
    }
    sqlx::query(
        "update jobs set state = 'queued', attempts = 0, run_after = now(), message = null, finished_at = null
         where dedupe_key = $1 and state in ('done', 'failed', 'cancelled')",
    )
    .bind(&job.dedupe_key)
    .execute(conn)
    .await?;
    Ok(())
}
