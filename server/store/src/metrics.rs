//! What an operator watches, counted: a handful of short statements, each over an index.

use crate::Result;
use sqlx::{PgConnection, Row};

/// More samples than this are "many": counting them all would cost more than the number is worth.
const MOST_OPEN: i64 = 100_000;

/// Jobs of a kind in a state.
#[derive(Debug, Clone, PartialEq)]
pub struct JobCount {
    /// Kind.
    pub kind: String,
    /// `queued`, `running`, `lapsed` (running, and its worker is dead) or `failed`.
    pub state: String,
    /// How many.
    pub n: i64,
    /// Seconds since the oldest of them could run.
    pub oldest: f64,
}

/// A drift monitor's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Judge.
    pub judge: String,
    /// Verdict class.
    pub verdict: String,
    /// `ok`, `warning` or `alarm`.
    pub status: String,
}

/// Everything counted at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Jobs that have not ended well.
    pub jobs: Vec<JobCount>,
    /// Samples with a free slot, at most 100,000.
    pub open_samples: i64,
    /// Leases held.
    pub leases: i64,
    /// Of these, run out and not freed yet.
    pub leases_overdue: i64,
    /// Assignments whose lease ran out.
    pub leases_expired: i64,
    /// Open monitors.
    pub drift: Vec<Drift>,
    /// Certificates by status.
    pub certificates: Vec<(String, i64)>,
    /// Investigations that nobody has closed.
    pub investigations: i64,
    /// Age in seconds of the oldest row that the audit log has not sealed; 0: none.
    pub unsealed_age: f64,
    /// When the last backup was made, in seconds since 1970.
    pub last_backup: Option<f64>,
    /// Bytes of the database.
    pub bytes: i64,
}

/// Counts everything.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection) -> Result<Counts> {
    let row = sqlx::query(
        "select (select count(*) from (select from samples where open_slots > 0 limit $1) many) open_samples,
                (select count(*) from assignments where state = 'leased') leases,
                (select count(*) from assignments where state = 'leased' and lease_expires_at < now()) leases_overdue,
                (select count(*) from assignments where state = 'expired') leases_expired,
                (select count(*) from investigations where closed_at is null) investigations,
                (select extract(epoch from max(at))::float8 from audit_events where action = 'backup') last_backup,
                pg_database_size(current_database()) bytes",
    )
    .bind(MOST_OPEN)
    .fetch_one(&mut *conn)
    .await?;
    Ok(Counts {
        jobs: jobs(conn).await?,
        open_samples: row.try_get("open_samples")?,
        leases: row.try_get("leases")?,
        leases_overdue: row.try_get("leases_overdue")?,
        leases_expired: row.try_get("leases_expired")?,
        drift: drift(conn).await?,
        certificates: sqlx::query_as("select status, count(*) from certificates group by status")
            .fetch_all(&mut *conn)
            .await?,
        investigations: row.try_get("investigations")?,
        unsealed_age: unsealed_age(conn).await?,
        last_backup: row.try_get("last_backup")?,
        bytes: row.try_get("bytes")?,
    })
}

async fn jobs(conn: &mut PgConnection) -> Result<Vec<JobCount>> {
    let rows = sqlx::query(
        "select kind, case when state = 'running' and lease_expires_at < now() then 'lapsed' else state end state,
                count(*) n, greatest(0, extract(epoch from now() - min(run_after)))::float8 oldest
         from jobs where state in ('queued', 'running') group by 1, 2
         union all
         select kind, state, count(*), greatest(0, extract(epoch from now() - min(finished_at)))::float8
         from jobs where state = 'failed' group by 1, 2",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(JobCount {
                kind: row.try_get("kind")?,
                state: row.try_get("state")?,
                n: row.try_get("n")?,
                oldest: row.try_get("oldest")?,
            })
        })
        .collect()
}

async fn drift(conn: &mut PgConnection) -> Result<Vec<Drift>> {
    let rows = sqlx::query(
        "select task, criterion, judge, verdict, status from drift_monitors where closed_at is null",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Drift {
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                judge: row.try_get("judge")?,
                verdict: row.try_get("verdict")?,
                status: row.try_get("status")?,
            })
        })
        .collect()
}

async fn unsealed_age(conn: &mut PgConnection) -> Result<f64> {
    Ok(sqlx::query_scalar(
        "with head as (select coalesce((select to_tx from audit_log_blocks order by block desc limit 1), 0)::text::xid8 tx)
         select coalesce(greatest(0, extract(epoch from now() - least(
            (select at from audit_events e, head where e.tx >= head.tx order by e.tx limit 1),
            (select at from labels l, head where l.tx >= head.tx order by l.tx limit 1)))), 0)::float8",
    )
    .fetch_one(conn)
    .await?)
}
