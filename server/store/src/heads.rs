//! Heads of judges: what they learn from, what they are, and what the judge they make is compared with.

use crate::Result;
use concord_domain::{AccountId, HeadOutcome, HeadRequest, HeadRun, SampleId};
use jiff_sqlx::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A head as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Its id.
    pub id: Uuid,
    /// Criterion.
    pub criterion: String,
    /// Embedder and version of the similarities it reads.
    pub made_by: String,
    /// What was fitted.
    pub parameters: serde_json::Value,
    /// Labels.
    pub n: i64,
    /// Of them, passes.
    pub n_pass: i64,
    /// Clusters they come from.
    pub n_clusters: i64,
    /// Labels that rebalancing kept.
    pub kept: i64,
    /// Measures of what stood before.
    pub before: serde_json::Value,
    /// Measures after.
    pub after: serde_json::Value,
    /// When it was trained.
    pub created_at: jiff::Timestamp,
}

/// Heads by their ids.
///
/// # Errors
/// The database's.
pub async fn by_ids(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Head>> {
    let rows = sqlx::query("select * from judge_heads where id = any($1) order by criterion")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                id: row.try_get("id")?,
                criterion: row.try_get("criterion")?,
                made_by: row.try_get("made_by")?,
                parameters: row.try_get("parameters")?,
                n: row.try_get("n")?,
                n_pass: row.try_get("n_pass")?,
                n_clusters: row.try_get("n_clusters")?,
                kept: row.try_get("kept")?,
                before: row.try_get("before")?,
                after: row.try_get("after")?,
                created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
            })
        })
        .collect()
}

/// Stores a head with the samples it learnt from. The database refuses a sample of the audit half.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    run: Uuid,
    (task, asked): (&str, &str),
    head: &Head,
    labels: &[Label],
) -> Result<()> {
    sqlx::query(
        "insert into judge_heads (id, run_id, task, criterion, asked, made_by, parameters, n, n_pass, n_clusters, kept, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(head.id)
    .bind(run)
    .bind(task)
    .bind(&head.criterion)
    .bind(asked)
    .bind(&head.made_by)
    .bind(&head.parameters)
    .bind(head.n)
    .bind(head.n_pass)
    .bind(head.n_clusters)
    .bind(head.kept)
    .bind(&head.before)
    .bind(&head.after)
    .execute(&mut *conn)
    .await?;
    let samples: Vec<Uuid> = labels.iter().map(|label| label.sample.0).collect();
    sqlx::query("insert into judge_head_labels (head_id, sample_id) select $1, unnest($2::uuid[])")
        .bind(head.id)
        .bind(&samples)
        .execute(conn)
        .await?;
    Ok(())
}

/// What people say of a sample of the train half, beside what the model was read as saying.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The sample.
    pub sample: SampleId,
    /// Unit of sampling.
    pub cluster: i64,
    /// Days since the last of its labels, counted from the newest label there is.
    pub days: f64,
    /// What the strict blind majority says.
    pub pass: bool,
}

/// Labels that a head may learn from: the strict blind majority of samples of the train half that the model has judged
/// with logits. The judge's own examples are left out: it was told their answers.
///
/// # Errors
/// The database's.
pub async fn labels(
    conn: &mut PgConnection,
    task: &str,
    criterion: &str,
    asked: &str,
    draw: Option<Uuid>,
    major: i32,
) -> Result<Vec<Label>> {
    let rows = sqlx::query(
        "select s.id, s.cluster_hash, b.pass,
                (extract(epoch from max(b.at) over () - b.at) / 86400)::float8 days
         from (select v.sample_id, count(*) filter (where v.pass) * 2 > count(*) pass,
                      (select max(l.at) from labels l where l.sample_id = v.sample_id) at
               from blind_votes v where v.criterion = $2
               group by v.sample_id having count(*) filter (where v.pass) * 2 <> count(*)) b
         join samples s on s.id = b.sample_id and s.task = $1 and s.half = 'train'
              and split_part(s.rubric_version, '.', 1) = $5::text
         where exists (
            select from verdicts v where v.sample_id = s.id and v.criterion = $2 and v.logits is not null
              and (v.judge = $3 or v.judge in (select c.judge from judge_configs c where c.task = $1 and c.asked = $3)))
           and not exists (select from judge_examples e where e.draw_id = $4 and e.sample_id = s.id)
         order by s.id",
    )
    .bind(task)
    .bind(criterion)
    .bind(asked)
    .bind(draw)
    .bind(major.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Label {
                sample: SampleId(row.try_get("id")?),
                cluster: row.try_get("cluster_hash")?,
                days: row.try_get("days")?,
                pass: row.try_get("pass")?,
            })
        })
        .collect()
}

/// The logits of samples as the model was asked `asked`: sample, language, criterion, logits by answer.
///
/// # Errors
/// The database's.
pub async fn logits(
    conn: &mut PgConnection,
    task: &str,
    asked: &str,
    samples: &[SampleId],
) -> Result<Vec<(SampleId, String, String, serde_json::Value)>> {
    let ids: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    let rows = sqlx::query(
        "select distinct on (v.sample_id, v.criterion) v.sample_id, s.lang, v.criterion, v.logits
         from verdicts v join samples s on s.id = v.sample_id
         where v.sample_id = any($3) and v.logits is not null
           and (v.judge = $2 or v.judge in (select c.judge from judge_configs c where c.task = $1 and c.asked = $2))
         order by v.sample_id, v.criterion, v.created_at, v.id",
    )
    .bind(task)
    .bind(asked)
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                SampleId(row.try_get("sample_id")?),
                row.try_get("lang")?,
                row.try_get("criterion")?,
                row.try_get("logits")?,
            ))
        })
        .collect()
}

/// Samples that the model has judged as `asked` and whose similarities by `made_by` are not stored.
///
/// # Errors
/// The database's.
pub async fn without_similarities(
    conn: &mut PgConnection,
    task: &str,
    asked: &str,
    made_by: &str,
    limit: i64,
) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s where s.task = $1
           and exists (select from verdicts v where v.sample_id = s.id and v.logits is not null
              and (v.judge = $2 or v.judge in (select c.judge from judge_configs c where c.task = $1 and c.asked = $2)))
           and not exists (select from judge_similarities n where n.sample_id = s.id and n.made_by = $3)
         order by s.user_id, s.id limit $4",
    )
    .bind(task)
    .bind(asked)
    .bind(made_by)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SampleId).collect())
}

/// Stores the similarities of a sample, once. What there was nothing to compare with is no number.
///
/// # Errors
/// The database's.
pub async fn insert_similarities(
    conn: &mut PgConnection,
    sample: SampleId,
    made_by: &str,
    numbers: &[Option<f64>],
) -> Result<()> {
    sqlx::query(
        "insert into judge_similarities (sample_id, made_by, numbers) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(sample.0)
    .bind(made_by)
    .bind(numbers)
    .execute(conn)
    .await?;
    Ok(())
}

/// The stored similarities of samples.
///
/// # Errors
/// The database's.
pub async fn similarities(
    conn: &mut PgConnection,
    made_by: &str,
    samples: &[SampleId],
) -> Result<Vec<(SampleId, Vec<Option<f64>>)>> {
    let ids: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    let rows = sqlx::query(
        "select sample_id, numbers from judge_similarities where made_by = $1 and sample_id = any($2)",
    )
    .bind(made_by)
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((SampleId(row.try_get("sample_id")?), row.try_get("numbers")?))).collect()
}

/// A decision of the audit half that people have made and two judges too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Unit of sampling.
    pub cluster: i64,
    /// Criterion.
    pub criterion: String,
    /// People.
    pub people: bool,
    /// The judge that stands.
    pub old: bool,
    /// The new one.
    pub new: bool,
}

/// What people and two judges say of the audit half under a major rubric version, by cluster.
///
/// # Errors
/// The database's.
pub async fn compared(
    conn: &mut PgConnection,
    task: &str,
    major: i32,
    old: &str,
    new: &str,
) -> Result<Vec<Compared>> {
    let rows = sqlx::query(
        "select s.cluster_hash, r.criterion, r.pass people, a.pass old, b.pass new
         from audit_references r join samples s on s.id = r.sample_id and s.task = $1
         join verdicts a on a.sample_id = r.sample_id and a.criterion = r.criterion and a.judge = $3 and a.pass is not null
         join verdicts b on b.sample_id = r.sample_id and b.criterion = r.criterion and b.judge = $4 and b.pass is not null
         where r.major = $2 and r.pass is not null order by s.cluster_hash, r.sample_id, r.criterion",
    )
    .bind(task)
    .bind(major)
    .bind(old)
    .bind(new)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Compared {
                cluster: row.try_get("cluster_hash")?,
                criterion: row.try_get("criterion")?,
                people: row.try_get("people")?,
                old: row.try_get("old")?,
                new: row.try_get("new")?,
            })
        })
        .collect()
}

/// Plans a run.
///
/// # Errors
/// The database's.
pub async fn insert_run(
    conn: &mut PgConnection,
    id: Uuid,
    task: &str,
    request: &HeadRequest,
    by: AccountId,
) -> Result<()> {
    sqlx::query("insert into judge_head_runs (id, task, request, created_by) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(task)
        .bind(Json(request))
        .bind(by.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Who asked for a run.
///
/// # Errors
/// The database's.
pub async fn asked_by(conn: &mut PgConnection, id: Uuid) -> Result<Option<AccountId>> {
    let found: Option<Option<Uuid>> =
        sqlx::query_scalar("select created_by from judge_head_runs where id = $1")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    Ok(found.flatten().map(AccountId))
}

/// Says how a run ended.
///
/// # Errors
/// The database's.
pub async fn finish_run(
    conn: &mut PgConnection,
    id: Uuid,
    state: &str,
    (before, judge): (Option<&str>, Option<&str>),
    outcome: &HeadOutcome,
) -> Result<()> {
    sqlx::query(
        "update judge_head_runs set state = $2, before_judge = $3, judge = $4, outcome = $5, finished_at = now()
         where id = $1 and state = 'queued'",
    )
    .bind(id)
    .bind(state)
    .bind(before)
    .bind(judge)
    .bind(Json(outcome))
    .execute(conn)
    .await?;
    Ok(())
}

/// Runs of a task, or one by its id, newest first.
///
/// # Errors
/// The database's.
pub async fn runs(conn: &mut PgConnection, task: Option<&str>, id: Option<Uuid>) -> Result<Vec<HeadRun>> {
    let rows = sqlx::query(
        "select r.*, a.email from judge_head_runs r left join accounts a on a.id = r.created_by
         where ($1::text is null or r.task = $1) and ($2::uuid is null or r.id = $2)
         order by r.created_at desc limit 50",
    )
    .bind(task)
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(HeadRun {
                id: row.try_get("id")?,
                task: row.try_get("task")?,
                request: row.try_get::<Json<HeadRequest>, _>("request")?.0,
                state: row.try_get("state")?,
                before_judge: row.try_get("before_judge")?,
                judge: row.try_get("judge")?,
                outcome: row.try_get::<Option<Json<HeadOutcome>>, _>("outcome")?.map(|it| it.0),
                by: row.try_get("email")?,
                at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
                finished_at: row.try_get::<Option<Timestamp>, _>("finished_at")?.map(Timestamp::to_jiff),
            })
        })
        .collect()
}
