//! Samples that people sent to a lead because the guideline does not decide them.

use crate::Result;
use concord_domain::{AccountId, Escalation, EscalationOutcome, SampleId};
use jiff_sqlx::Timestamp as SqlTimestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::AssignmentRow;

/// Puts a sample on the leads' list, once an assignment.
///
/// # Errors
/// The database's.
pub async fn escalate(
    conn: &mut PgConnection,
    account: AccountId,
    row: &AssignmentRow,
    reason: &str,
) -> Result<()> {
    sqlx::query(
        "insert into escalations (id, assignment_id, sample_id, account_id, reason) values ($1, $2, $3, $4, $5)
         on conflict (assignment_id) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(row.id.0)
    .bind(row.sample.0)
    .bind(account.0)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends an escalation; `false` if there is none that is open.
///
/// # Errors
/// The database's.
pub async fn resolve_escalation(
    conn: &mut PgConnection,
    account: AccountId,
    id: Uuid,
    outcome: &EscalationOutcome,
) -> Result<bool> {
    let done = sqlx::query(
        "update escalations set outcome = $3, note = $4, rubric_version = $5, resolved_by = $2, resolved_at = now()
         where id = $1 and outcome is null",
    )
    .bind(id)
    .bind(account.0)
    .bind(outcome.outcome.as_str())
    .bind(&outcome.note)
    .bind(&outcome.rubric)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The task of an escalated sample.
///
/// # Errors
/// The database's.
pub async fn escalation_task(conn: &mut PgConnection, id: Uuid) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "select s.task from escalations e join samples s on s.id = e.sample_id where e.id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?)
}

/// Escalations, those that wait longest first; without those that have ended where `open`.
///
/// # Errors
/// The database's.
pub async fn escalations(conn: &mut PgConnection, open: bool, limit: i64) -> Result<Vec<Escalation>> {
    let rows = sqlx::query(
        "select e.*, s.task, s.text, a.email, r.email resolver
         from escalations e join samples s on s.id = e.sample_id join accounts a on a.id = e.account_id
         left join accounts r on r.id = e.resolved_by
         where e.outcome is null or not $1
         order by e.outcome is not null, case when e.outcome is null then e.at end, e.resolved_at desc, e.id limit $2",
    )
    .bind(open)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Escalation {
                id: row.try_get("id")?,
                sample: SampleId(row.try_get("sample_id")?),
                task: row.try_get("task")?,
                text: row.try_get("text")?,
                by: row.try_get("email")?,
                reason: row.try_get("reason")?,
                at: row.try_get::<SqlTimestamp, _>("at")?.to_jiff(),
                outcome: row.try_get("outcome")?,
                note: row.try_get("note")?,
                rubric: row.try_get("rubric_version")?,
                resolved_by: row.try_get("resolver")?,
                resolved_at: row
                    .try_get::<Option<SqlTimestamp>, _>("resolved_at")?
                    .map(SqlTimestamp::to_jiff),
            })
        })
        .collect()
}
