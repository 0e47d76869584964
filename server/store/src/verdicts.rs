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
    /// Probability of pass; `None` where it could not be read.
    pub p_pass: Option<f64>,
    /// Raw logits by answer.
    pub logits: Option<serde_json::Value>,
}

/// Stores a verdict, once. It passes at one half and above until a judge is calibrated.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewVerdict<'_>, run: &Scored) -> Result<()> {
    let pass = new.p_pass.map(|p| p >= 0.5);
    let label = pass.and_then(|pass| new.criterion.first_label(pass)).map(|label| label.name.as_str());
    sqlx::query(
        "insert into verdicts (id, sample_id, criterion, judge, rubric_version, status, label, pass, p_pass, logits,
                               prefix_tokens, prefilled_tokens, millis)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing",
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

/// Every verdict on a sample, by judge and criterion.
///
/// # Errors
/// The database's.
pub async fn of_sample(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<Verdict>> {
    let rows = sqlx::query(
        "select v.criterion, v.label, v.p_pass, v.judge, r.text as rationale
         from verdicts v left join rationales r on r.verdict_id = v.id where v.sample_id = $1
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
                rationale: row.try_get("rationale")?,
                judge: row.try_get("judge")?,
            })
        })
        .collect()
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
        "select v.id, v.criterion, v.label from verdicts v
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
