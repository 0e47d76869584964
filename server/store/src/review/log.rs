//! What was given out: the label log, and who has seen whose verdicts.

use crate::{Result, samples};
use concord_domain::{AccountId, LabelRecord, SampleId};
use jiff_sqlx::Timestamp as SqlTimestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Logs that verdicts of these samples were shown to this person.
///
/// # Errors
/// The database's.
pub async fn log_views(conn: &mut PgConnection, account: AccountId, samples: &[SampleId]) -> Result<()> {
    let samples: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    sqlx::query(
        "insert into verdict_views (account_id, sample_id) select $1, unnest($2::uuid[]) on conflict do nothing",
    )
    .bind(account.0)
    .bind(samples)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether this person has been shown verdicts of the sample.
///
/// # Errors
/// The database's.
pub async fn has_seen(conn: &mut PgConnection, account: AccountId, sample: SampleId) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select 1 from verdict_views where sample_id = $1 and account_id = $2)",
    )
    .bind(sample.0)
    .bind(account.0)
    .fetch_one(conn)
    .await?)
}

/// The label log after a place in it, oldest first, up to the oldest transaction still running: what comes
/// later never has an earlier place.
///
/// # Errors
/// The database's.
pub async fn label_log(
    conn: &mut PgConnection,
    task: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<LabelRecord>> {
    let rows = sqlx::query(
        "select l.*, s.key as sample_key, coalesce(a.email, l.rater) as rater_name
         from labels l join samples s on s.id = l.sample_id left join accounts a on a.id::text = l.rater
         where l.seq > $2 and ($1::text is null or l.task = $1) and l.tx < concord_log_horizon()
         order by l.seq limit $3",
    )
    .bind(task)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LabelRecord {
                seq: row.try_get("seq")?,
                sample: row.try_get("sample_key")?,
                sample_id: SampleId(row.try_get("sample_id")?),
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                rater: row.try_get("rater_name")?,
                label: row.try_get("label")?,
                pass: row.try_get("pass")?,
                phase: samples::phase(row.try_get::<String, _>("phase")?.as_str())?,
                stream: row.try_get("stream")?,
                pi: row.try_get("pi")?,
                rubric: row.try_get("rubric_version")?,
                at: row.try_get::<SqlTimestamp, _>("at")?.to_jiff(),
            })
        })
        .collect()
}
