//! Attempts at certificates, and the certificates among them.

use crate::Result;
use crate::decisions::Of;
use crate::{acceptance, webhooks};
use concord_domain::{AccountId, CardCertificate, Certificate, CertificateActs, Notice};
use jiff_sqlx::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// An attempt as planned, before any label is read.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Its id.
    pub id: Uuid,
    /// What is to be certified.
    pub of: Of<'a>,
    /// Rubric version.
    pub rubric_version: &'a str,
    /// `pass` or `fail`.
    pub verdict: &'a str,
    /// Allowed disagreement.
    pub eps: f64,
    /// Allowed probability of being wrong.
    pub delta: f64,
    /// Place among the attempts that read the same labels; 0: only unseen ones.
    pub attempt: i32,
    /// Of δ, what this one may use.
    pub delta_spent: f64,
    /// Only labels after this place of the log.
    pub labels_after: i64,
    /// Draws one decision a cluster.
    pub seed: i64,
    /// Thresholds, strictest first.
    pub grid: &'a [f64],
    /// Where chains start.
    pub starts: &'a [i32],
    /// Verdicts the grid was drawn from.
    pub pool: i64,
    /// `unlabelled` or `fixed`.
    pub grid_from: &'a str,
    /// What a lead states of imported labels.
    pub statement: Option<serde_json::Value>,
    /// Who asks.
    pub by: AccountId,
}

/// What an attempt came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Labels used, one a cluster.
    pub n: u64,
    /// Disagreements among all of them.
    pub errors: u64,
    /// Where each chain stopped: threshold, n, errors, p.
    pub chains: Vec<(Option<f64>, u64, u64, f64)>,
    /// Labels needed in all if errors stay at this rate.
    pub labels_needed: Option<u64>,
    /// Why there is no certificate.
    pub why: Option<String>,
}

/// One change of attempts, certificates and their monitors at a time: the count of earlier attempts must hold until
/// this one is stored, and a class has one open monitor.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('certificate attempts', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Earlier attempts on this class, with whatever judge, that have read labels, and how far in the log.
///
/// # Errors
/// The database's.
pub async fn earlier(conn: &mut PgConnection, of: Of<'_>, verdict: &str) -> Result<(i64, i64)> {
    let row = sqlx::query(
        "select count(*) n, coalesce(max(labels_through), 0) through from certificate_attempts
         where task = $1 and criterion = $2 and major = $3 and verdict = $4
           and labels_through is not null and coalesce((outcome ->> 'n')::bigint, 1) > 0",
    )
    .bind(of.task)
    .bind(of.criterion)
    .bind(of.major)
    .bind(verdict)
    .fetch_one(conn)
    .await?;
    Ok((row.try_get("n")?, row.try_get("through")?))
}

/// Stores a plan.
///
/// # Errors
/// The database's.
pub async fn plan(conn: &mut PgConnection, plan: &Plan<'_>) -> Result<()> {
    sqlx::query(
        "insert into certificate_attempts (id, task, criterion, judge, major, rubric_version, verdict, eps, delta, attempt,
            delta_spent, labels_after, seed, grid, starts, pool, grid_from, statement, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(plan.id)
    .bind(plan.of.task)
    .bind(plan.of.criterion)
    .bind(plan.of.judge)
    .bind(plan.of.major)
    .bind(plan.rubric_version)
    .bind(plan.verdict)
    .bind(plan.eps)
    .bind(plan.delta)
    .bind(plan.attempt)
    .bind(plan.delta_spent)
    .bind(plan.labels_after)
    .bind(plan.seed)
    .bind(plan.grid)
    .bind(plan.starts)
    .bind(plan.pool)
    .bind(plan.grid_from)
    .bind(&plan.statement)
    .bind(plan.by.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says how far in the log an attempt will read. Committed before the labels are.
///
/// # Errors
/// The database's.
pub async fn read_through(conn: &mut PgConnection, id: Uuid, through: i64) -> Result<()> {
    sqlx::query("update certificate_attempts set labels_through = $2 where id = $1")
        .bind(id)
        .bind(through)
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores what an attempt came to.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, id: Uuid, outcome: &Outcome) -> Result<()> {
    sqlx::query("update certificate_attempts set outcome = $2, finished_at = now() where id = $1")
        .bind(id)
        .bind(Json(outcome))
        .execute(conn)
        .await?;
    Ok(())
}

/// A certificate to be issued.
#[derive(Debug, Clone, Copy)]
pub struct NewCertificate {
    /// Id of its attempt.
    pub id: Uuid,
    /// From this confidence on.
    pub threshold: f64,
    /// Labels at or above it.
    pub n: i64,
    /// Disagreements among them.
    pub errors: i64,
    /// Upper bound of the disagreement.
    pub ucb: f64,
    /// Share of the judge's verdicts it covers.
    pub coverage: f64,
}

/// Issues a certificate; a live one for the same verdicts gives way to it, and what that accepted stands where the
/// new one accepts it too.
///
/// # Errors
/// The database's.
pub async fn issue(conn: &mut PgConnection, new: NewCertificate) -> Result<()> {
    let gone: Vec<Uuid> = sqlx::query_scalar(
        "update certificates c set status = 'void', why = 'superseded', ended_at = now()
         from certificate_attempts old, certificate_attempts new
         where c.id = old.id and new.id = $1 and c.status <> 'void'
           and (old.task, old.criterion, old.judge, old.major, old.verdict)
             = (new.task, new.criterion, new.judge, new.major, new.verdict)
         returning c.id",
    )
    .bind(new.id)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query(
        "insert into certificates (id, threshold, n, errors, ucb, coverage) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(new.threshold)
    .bind(new.n)
    .bind(new.errors)
    .bind(new.ucb)
    .bind(new.coverage)
    .execute(&mut *conn)
    .await?;
    let task: String = sqlx::query_scalar("select task from certificate_attempts where id = $1")
        .bind(new.id)
        .fetch_one(&mut *conn)
        .await?;
    acceptance::queue_sweep(conn, &task).await?;
    webhooks::tell_of(conn, Notice::CertificateIssued, &[new.id]).await?;
    ended(conn, Notice::CertificateVoided, &gone).await
}

/// What follows when certificates end, in the transaction that ends them: what they accepted goes back to people,
/// and whoever asked for it is told.
async fn ended(conn: &mut PgConnection, notice: Notice, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    acceptance::recheck(conn, ids).await?;
    webhooks::tell_of(conn, notice, ids).await
}

/// Ends a certificate, for good (`void`) or until a new one (`suspended`); `false` if it had ended so already.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut PgConnection, id: Uuid, status: &str, why: &str) -> Result<bool> {
    let done = sqlx::query(
        "update certificates set status = $2, why = $3, ended_at = now() where id = $1 and status <> 'void' and status <> $2",
    )
    .bind(id)
    .bind(status)
    .bind(why)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let notice = if status == "suspended" { Notice::CertificateSuspended } else { Notice::CertificateVoided };
    ended(conn, notice, &[id]).await?;
    Ok(true)
}

/// Voids every certificate of a task whose major rubric version is not this one; gives their ids.
///
/// # Errors
/// The database's.
pub async fn void_other_majors(conn: &mut PgConnection, task: &str, major: i32) -> Result<Vec<Uuid>> {
    let gone: Vec<Uuid> = sqlx::query_scalar(
        "update certificates c set status = 'void', why = 'the rubric has a new major version', ended_at = now()
         from certificate_attempts a where a.id = c.id and a.task = $1 and a.major <> $2 and c.status <> 'void'
         returning c.id",
    )
    .bind(task)
    .bind(major)
    .fetch_all(&mut *conn)
    .await?;
    ended(conn, Notice::CertificateVoided, &gone).await?;
    Ok(gone)
}

/// Voids every certificate of another judge of this task: a judge of other weights or another prompt has
/// another name. Gives their ids.
///
/// # Errors
/// The database's.
pub async fn void_other_judges(conn: &mut PgConnection, task: &str, judge: &str) -> Result<Vec<Uuid>> {
    let gone: Vec<Uuid> = sqlx::query_scalar(
        "update certificates c set status = 'void', why = 'another judge has taken its place', ended_at = now()
         from certificate_attempts a join judges j on j.name = a.judge
         where a.id = c.id and a.task = $1 and a.judge <> $2 and j.origin = 'concord' and c.status <> 'void'
         returning c.id",
    )
    .bind(task)
    .bind(judge)
    .fetch_all(&mut *conn)
    .await?;
    ended(conn, Notice::CertificateVoided, &gone).await?;
    Ok(gone)
}

/// Attempts and certificates, newest first; of one task, one judge or one id.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut PgConnection,
    task: Option<&str>,
    judge: Option<&str>,
    id: Option<Uuid>,
) -> Result<Vec<(i32, Certificate)>> {
    let rows = sqlx::query(
        "select a.*, c.threshold, c.n, c.errors, c.ucb, c.coverage, c.status, c.why, c.ended_at, p.email
         from certificate_attempts a left join certificates c on c.id = a.id join accounts p on p.id = a.created_by
         where ($1::text is null or a.task = $1) and ($2::text is null or a.judge = $2) and ($3::uuid is null or a.id = $3)
         order by a.created_at desc, a.id limit 500",
    )
    .bind(task)
    .bind(judge)
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("major")?, certificate(row)?))).collect()
}

fn certificate(row: &sqlx::postgres::PgRow) -> Result<Certificate> {
    let outcome: Option<Json<Outcome>> = row.try_get("outcome")?;
    let outcome = outcome.map(|outcome| outcome.0).unwrap_or_default();
    let status: Option<String> = row.try_get("status")?;
    let starts: Vec<i32> = row.try_get("starts")?;
    let whole = |n: Option<i64>, else_: u64| n.map_or(else_, |n| u64::try_from(n).unwrap_or(0));
    let statement: Option<serde_json::Value> = row.try_get("statement")?;
    Ok(Certificate {
        id: row.try_get("id")?,
        task: row.try_get("task")?,
        criterion: row.try_get("criterion")?,
        judge: row.try_get("judge")?,
        rubric: row.try_get("rubric_version")?,
        shown: CardCertificate {
            verdict: row.try_get("verdict")?,
            status: status.unwrap_or_else(|| "none".to_owned()),
            eps: row.try_get("eps")?,
            delta: row.try_get("delta")?,
            threshold: row.try_get("threshold")?,
            coverage: row.try_get("coverage")?,
            n: whole(row.try_get("n")?, outcome.n),
            errors: whole(row.try_get("errors")?, outcome.errors),
            ucb: row.try_get("ucb")?,
            attempt: u32::try_from(row.try_get::<i32, _>("attempt")?).unwrap_or(0),
            why: row.try_get::<Option<String>, _>("why")?.or(outcome.why),
        },
        delta_spent: row.try_get("delta_spent")?,
        grid: row.try_get("grid")?,
        grid_from: row.try_get("grid_from")?,
        starts: starts.into_iter().map(|start| u32::try_from(start).unwrap_or(0)).collect(),
        pool: whole(Some(row.try_get("pool")?), 0),
        statement: statement.map(|of| said(&of)),
        chains: outcome
            .chains
            .into_iter()
            .map(|(threshold, n, errors, p)| concord_domain::Chain { threshold, n, errors, p })
            .collect(),
        labels_needed: outcome.labels_needed,
        acts: CertificateActs::default(),
        by: row.try_get("email")?,
        at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        ended_at: row.try_get::<Option<Timestamp>, _>("ended_at")?.map(|at| at.to_jiff()),
    })
}

/// The statement in words, as the certificate prints it.
fn said(statement: &serde_json::Value) -> String {
    let by = statement["by"].as_str().unwrap_or_default();
    format!("{by} states of the imported labels: a uniform sample of the judged samples, labelled blind")
}
