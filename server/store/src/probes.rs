//! Probes of judges. What is planted is kept here and is no sample.

use crate::Result;
use concord_domain::{AccountId, SampleId};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A run of probes.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: String,
    /// The judge; `None` until it starts.
    pub judge: Option<String>,
    /// Samples asked for.
    pub samples: i32,
    /// Seed.
    pub seed: i64,
    /// When it was asked for.
    pub created_at: jiff::Timestamp,
    /// When it ended.
    pub finished_at: Option<jiff::Timestamp>,
}

/// Stores a run to come.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    task: &str,
    (samples, seed): (i32, i64),
    by: AccountId,
) -> Result<()> {
    sqlx::query("insert into judge_probes (id, task, samples, seed, created_by) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(task)
        .bind(samples)
        .bind(seed)
        .bind(by.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Says which judge is probed; gives the run. A run that goes on keeps its judge.
///
/// # Errors
/// The database's.
pub async fn start(conn: &mut PgConnection, id: Uuid, judge: &str) -> Result<Option<Probe>> {
    let row = sqlx::query("update judge_probes set judge = coalesce(judge, $2) where id = $1 returning *")
        .bind(id)
        .bind(judge)
        .fetch_optional(conn)
        .await?;
    row.map(|row| probe(&row)).transpose()
}

/// Marks a run as done.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query("update judge_probes set finished_at = now() where id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Runs, newest first: of a task, or the one of that id.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, task: Option<&str>, id: Option<Uuid>) -> Result<Vec<Probe>> {
    let rows = sqlx::query(
        "select * from judge_probes where ($1::text is null or task = $1) and ($2::uuid is null or id = $2)
         order by created_at desc, id limit 20",
    )
    .bind(task)
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.iter().map(probe).collect()
}

fn probe(row: &sqlx::postgres::PgRow) -> Result<Probe> {
    Ok(Probe {
        id: row.try_get("id")?,
        task: row.try_get("task")?,
        judge: row.try_get("judge")?,
        samples: row.try_get("samples")?,
        seed: row.try_get("seed")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        finished_at: row.try_get::<Option<Timestamp>, _>("finished_at")?.map(Timestamp::to_jiff),
    })
}

/// Samples of a task to probe with, in an order by seed: one a user before the second of any, so that few come from
/// one person.
///
/// # Errors
/// The database's.
pub async fn draw(conn: &mut PgConnection, task: &str, seed: i64, limit: i64) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from (
            select id, row_number() over (partition by cluster_hash order by hashtextextended(id::text, $2)) turn
            from samples where task = $1 and text <> '') drawn
         order by turn, hashtextextended(id::text, $2), id limit $3",
    )
    .bind(task)
    .bind(seed)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SampleId).collect())
}

/// A sample of another user (else cluster) of the same task and language with another text, by seed.
///
/// # Errors
/// The database's.
pub async fn donor(conn: &mut PgConnection, sample: SampleId, seed: i64) -> Result<Option<SampleId>> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select o.id from samples s join samples o on o.task = s.task and o.lang = s.lang
            and o.cluster_hash <> s.cluster_hash and o.text <> '' and lower(o.text) <> lower(s.text)
         where s.id = $1 order by hashtextextended(o.id::text || s.id::text, $2), o.id limit 1",
    )
    .bind(sample.0)
    .bind(seed)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(SampleId))
}

/// What a judge said before and after a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Kind of probe.
    pub kind: String,
    /// The sample that was changed.
    pub sample: SampleId,
    /// Whose text it was given.
    pub donor: Option<SampleId>,
    /// Criterion.
    pub criterion: String,
    /// A planted negative that this criterion must fail.
    pub must_fail: bool,
    /// Verdict and probability before.
    pub before: (Option<bool>, Option<f64>),
    /// Verdict and probability after.
    pub after: (Option<bool>, Option<f64>),
}

/// Stores answers, once.
///
/// # Errors
/// The database's.
pub async fn insert_answers(conn: &mut PgConnection, probe: Uuid, answers: &[Answer]) -> Result<()> {
    for answer in answers {
        sqlx::query(
            "insert into judge_probe_answers (probe_id, kind, sample_id, donor_id, criterion, must_fail, before_pass,
                                              before_p, after_pass, after_p)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
        )
        .bind(probe)
        .bind(&answer.kind)
        .bind(answer.sample.0)
        .bind(answer.donor.map(|id| id.0))
        .bind(&answer.criterion)
        .bind(answer.must_fail)
        .bind(answer.before.0)
        .bind(answer.before.1)
        .bind(answer.after.0)
        .bind(answer.after.1)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The answers of a run, by kind, criterion and sample.
///
/// # Errors
/// The database's.
pub async fn answers(conn: &mut PgConnection, probe: Uuid) -> Result<Vec<Answer>> {
    let rows = sqlx::query(
        "select * from judge_probe_answers where probe_id = $1 order by kind, criterion, sample_id",
    )
    .bind(probe)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Answer {
                kind: row.try_get("kind")?,
                sample: SampleId(row.try_get("sample_id")?),
                donor: row.try_get::<Option<Uuid>, _>("donor_id")?.map(SampleId),
                criterion: row.try_get("criterion")?,
                must_fail: row.try_get("must_fail")?,
                before: (row.try_get("before_pass")?, row.try_get("before_p")?),
                after: (row.try_get("after_pass")?, row.try_get("after_p")?),
            })
        })
        .collect()
}
