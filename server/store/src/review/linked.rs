//! What a sample rests on: earlier links that people failed, and cited evidence that does not support it.

use crate::Result;
use concord_domain::{AccountId, LinkedFail, SampleId, UnsupportedLine};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// The earlier links of a sample that people failed, nearest first; with `answered_by` only those that this person
/// has answered blind: what others say of a link is not for somebody who may still be given it.
///
/// # Errors
/// The database's.
pub async fn linked_fails(
    conn: &mut PgConnection,
    sample: SampleId,
    answered_by: Option<AccountId>,
) -> Result<Vec<LinkedFail>> {
    let rows = sqlx::query(
        "select f.* from linked_fails f where f.sample_id = $1
           and ($2::text is null or exists (
                select 1 from labels l where l.sample_id = f.ancestor_id and l.criterion = f.criterion
                  and l.phase = 'blind' and l.rater = $2))
         order by f.depth, f.criterion",
    )
    .bind(sample.0)
    .bind(answered_by.map(|id| id.0.to_string()))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LinkedFail {
                sample: SampleId(row.try_get("ancestor_id")?),
                task: row.try_get("task")?,
                text: row.try_get("text")?,
                criterion: row.try_get("criterion")?,
                passes: row.try_get("passes")?,
                fails: row.try_get("fails")?,
            })
        })
        .collect()
}

/// Stores which cited lines a person marked as unsupported in a submission.
///
/// # Errors
/// The database's.
pub async fn mark_unsupported(
    conn: &mut PgConnection,
    submission: Uuid,
    sample: SampleId,
    account: AccountId,
    lines: &[i32],
) -> Result<()> {
    sqlx::query(
        "insert into unsupported_evidence (submission_id, sample_id, rater, line) select $1, $2, $3, unnest($4::int[])",
    )
    .bind(submission)
    .bind(sample.0)
    .bind(account.0.to_string())
    .bind(lines)
    .execute(conn)
    .await?;
    Ok(())
}

/// The cited lines that people marked as unsupported, by how many people in their last answer.
///
/// # Errors
/// The database's.
pub async fn unsupported(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<UnsupportedLine>> {
    let rows = sqlx::query(
        "with last as (
            select distinct on (l.rater) l.rater, l.submission_id from labels l
            where l.sample_id = $1 and l.submission_id is not null order by l.rater, l.seq desc)
         select e.line, count(*) people from unsupported_evidence e
         join last on last.submission_id = e.submission_id where e.sample_id = $1 group by e.line order by e.line",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(UnsupportedLine {
                line: u32::try_from(row.try_get::<i32, _>("line")?).unwrap_or(0),
                people: row.try_get("people")?,
            })
        })
        .collect()
}
