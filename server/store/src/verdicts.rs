//! What judges said.

use crate::Result;
use concord_domain::ports::{ModelInfo, Scored};
use concord_domain::{Criterion, SampleId, Verdict};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Registers a judge; its name says model and prompt version.
///
/// # Errors
/// The database's.
pub async fn register(
    conn: &mut PgConnection,
    name: &str,
    model: &ModelInfo,
    prompt_version: &str,
) -> Result<()> {
    sqlx::query(
        "insert into judges (name, model, model_hash, model_family, backend, prompt_version)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(name)
    .bind(&model.name)
    .bind(&model.hash)
    .bind(&model.family)
    .bind(&model.backend)
    .bind(prompt_version)
    .execute(conn)
    .await?;
    Ok(())
}

/// A verdict to be stored.
#[derive(Debug, Clone)]
pub struct NewVerdict<'a> {
    /// Its id.
    pub id: Uuid,
    /// The sample.
    pub sample: SampleId,
    /// The criterion.
    pub criterion: &'a Criterion,
    /// Judge name.
    pub judge: &'a str,
    /// Version of the rubric it read.
    pub rubric_version: &'a str,
    /// Whether it passes; `None` where it could not be read.
    pub pass: Option<bool>,
    /// Probability of pass; `None` where the judge gave none.
    pub p_pass: Option<f64>,
    /// The probability went through a calibration.
    pub calibrated: bool,
    /// Raw logits by answer.
    pub logits: Option<serde_json::Value>,
}

/// Stores a verdict, once. One that could not be read is stored too, as `unparsed`.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewVerdict<'_>, run: &Scored) -> Result<()> {
    let pass = new.pass;
    let label = pass.and_then(|pass| new.criterion.first_label(pass)).map(|label| label.name.as_str());
    sqlx::query(
        "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass, logits,
                               prefix_tokens, prefilled_tokens, millis, calibrated)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict do nothing",
    )
    .bind(new.id)
    .bind(new.sample.0)
    .bind(&new.criterion.name)
    .bind(new.judge)
    .bind(new.rubric_version)
    .bind(if pass.is_some() { "ok" } else { "unparsed" })
    .bind(label)
    .bind(pass)
    .bind(new.p_pass)
    .bind(&new.logits)
    .bind(i32::try_from(run.prefix_tokens).unwrap_or(i32::MAX))
    .bind(i32::try_from(run.prefilled_tokens).unwrap_or(i32::MAX))
    .bind(run.millis.cast_signed())
    .bind(new.calibrated)
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks a sample as judged.
///
/// # Errors
/// The database's.
pub async fn mark_judged(conn: &mut PgConnection, sample: SampleId) -> Result<()> {
    sqlx::query("update samples set judged = true where id = $1").bind(sample.0).execute(conn).await?;
    Ok(())
}

/// The verdicts that stand on a sample, by judge and criterion: of Concord's own judges the current one's, else
/// the newest.
///
/// # Errors
/// The database's.
pub async fn of_sample(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<Verdict>> {
    let rows = sqlx::query(
        "select v.criterion, v.label, v.p_pass, v.calibrated, v.judge, r.text as rationale
         from standing_verdicts v left join rationales r on r.verdict_id = v.id where v.sample_id = $1
         order by v.judge, v.created_at, v.id",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Verdict {
                criterion: row.try_get("criterion")?,
                label: row.try_get("label")?,
                p_pass: row.try_get("p_pass")?,
                calibrated: row.try_get("calibrated")?,
                rationale: row.try_get("rationale")?,
                judge: row.try_get("judge")?,
            })
        })
        .collect()
}

/// A stored verdict that another calibration reads anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Its id.
    pub id: Uuid,
    /// The sample.
    pub sample: SampleId,
    /// Criterion.
    pub criterion: String,
    /// Task and rubric version that name its labels.
    pub rubric: (String, String),
    /// Language of the question.
    pub lang: String,
    /// Raw logits by answer; `None` where there are none.
    pub logits: Option<serde_json::Value>,
    /// Whether it passed; `None`: it could not be read.
    pub pass: Option<bool>,
    /// Its label.
    pub label: Option<String>,
    /// Its probability.
    pub p_pass: Option<f64>,
}

/// Verdicts that the model was asked for as `asked` says and that are not there yet under `judge`, in the order of
/// samples and criteria after a place in it.
///
/// # Errors
/// The database's.
pub async fn to_rewrite(
    conn: &mut PgConnection,
    task: &str,
    asked: &str,
    judge: &str,
    after: (SampleId, &str),
    limit: i64,
) -> Result<Vec<Raw>> {
    let rows = sqlx::query(
        "select distinct on (v.sample_id, v.criterion) v.id, v.sample_id, v.criterion, s.task,
                coalesce(v.rubric_version, s.rubric_version) rubric_version, s.lang, v.logits, v.pass, v.label, v.p_pass
         from verdicts v join samples s on s.id = v.sample_id
         where s.task = $1 and v.judge <> $3 and (v.sample_id, v.criterion) > ($4, $5)
           and (v.judge = $2 or v.judge in (select c.judge from judge_configs c where c.task = $1 and c.asked = $2))
           and not exists (select from verdicts n where n.sample_id = v.sample_id and n.criterion = v.criterion and n.judge = $3)
         order by v.sample_id, v.criterion, v.created_at, v.id limit $6",
    )
    .bind(task)
    .bind(asked)
    .bind(judge)
    .bind(after.0.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Raw {
                id: row.try_get("id")?,
                sample: SampleId(row.try_get("sample_id")?),
                criterion: row.try_get("criterion")?,
                rubric: (row.try_get("task")?, row.try_get("rubric_version")?),
                lang: row.try_get("lang")?,
                logits: row.try_get("logits")?,
                pass: row.try_get("pass")?,
                label: row.try_get("label")?,
                p_pass: row.try_get("p_pass")?,
            })
        })
        .collect()
}

/// A verdict read anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewritten {
    /// The verdict whose logits were read.
    pub from: Uuid,
    /// Its label now.
    pub label: Option<String>,
    /// Whether it passes now.
    pub pass: Option<bool>,
    /// Its probability now.
    pub p_pass: Option<f64>,
    /// The probability went through a calibration.
    pub calibrated: bool,
}

/// Stores verdicts read anew under a judge's name. A line of reason goes with a verdict that stays the same.
///
/// # Errors
/// The database's.
pub async fn rewrite(conn: &mut PgConnection, judge: &str, rows: &[Rewritten]) -> Result<()> {
    let column = |of: fn(&Rewritten) -> Option<bool>| rows.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "with new as (
            insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass, logits, calibrated)
            select concord_uuid_v7(), v.sample_id, v.criterion, $1, v.rubric_version,
                   case when r.pass is null then 'unparsed' else 'ok' end, r.label, r.pass, r.p, v.logits, r.calibrated
            from unnest($2::uuid[], $3::text[], $4::bool[], $5::float8[], $6::bool[]) r (id, label, pass, p, calibrated)
            join verdicts v on v.id = r.id
            on conflict do nothing returning id, sample_id, criterion, label)
         insert into rationales (verdict_id, text)
         select n.id, t.text from new n join verdicts v on v.sample_id = n.sample_id and v.criterion = n.criterion
            and v.id = any($2) and v.label = n.label
         join rationales t on t.verdict_id = v.id",
    )
    .bind(judge)
    .bind(rows.iter().map(|row| row.from).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.label.clone()).collect::<Vec<_>>())
    .bind(column(|row| row.pass))
    .bind(rows.iter().map(|row| row.p_pass).collect::<Vec<_>>())
    .bind(column(|row| Some(row.calibrated)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Verdicts of a sample that have no rationale yet: id, criterion, label.
///
/// # Errors
/// The database's.
pub async fn without_rationale(
    conn: &mut PgConnection,
    sample: SampleId,
) -> Result<Vec<(Uuid, String, String)>> {
    let rows = sqlx::query(
        "select v.id, v.criterion, v.label from standing_verdicts v
         where v.sample_id = $1 and v.status = 'ok' and not exists (select 1 from rationales r where r.verdict_id = v.id)
         order by v.id",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("criterion")?, row.try_get("label")?)))
        .collect()
}

/// Stores a rationale, once.
///
/// # Errors
/// The database's.
pub async fn insert_rationale(conn: &mut PgConnection, verdict: Uuid, text: &str) -> Result<()> {
    sqlx::query("insert into rationales (verdict_id, text) values ($1, $2) on conflict do nothing")
        .bind(verdict)
        .bind(text)
        .execute(conn)
        .await?;
    Ok(())
}
