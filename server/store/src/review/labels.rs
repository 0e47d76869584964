//! Submissions and labels, as one person gives them.

use super::AssignmentRow;
use crate::Result;
use concord_domain::{AccountId, Answer, AssignmentId, Phase, SampleId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A submission to be stored.
#[derive(Debug, Clone)]
pub struct NewSubmission<'a> {
    /// Its id.
    pub id: Uuid,
    /// The assignment, locked.
    pub assignment: &'a AssignmentRow,
    /// Who answers.
    pub account: AccountId,
    /// Blind or revised.
    pub phase: Phase,
    /// The client's key.
    pub key: &'a str,
    /// SHA-256 of the body.
    pub body_hash: &'a [u8],
    /// Free text.
    pub comment: Option<&'a str>,
    /// Seconds spent.
    pub seconds: Option<f64>,
    /// Task of the sample.
    pub task: &'a str,
    /// Version of its rubric.
    pub rubric_version: &'a str,
    /// Label id, criterion, label, pass; in rubric order.
    pub labels: &'a [(Uuid, &'a str, &'a str, bool)],
}

/// Stores a submission with its labels and moves the assignment on.
///
/// # Errors
/// The database's.
pub async fn insert_submission(conn: &mut PgConnection, new: &NewSubmission<'_>) -> Result<()> {
    sqlx::query(
        "insert into submissions (id, assignment_id, phase, idempotency_key, body_hash, comment, seconds)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id)
    .bind(new.assignment.id.0)
    .bind(new.phase.as_str())
    .bind(new.key)
    .bind(new.body_hash)
    .bind(new.comment)
    .bind(new.seconds)
    .execute(&mut *conn)
    .await?;
    let ids: Vec<Uuid> = new.labels.iter().map(|label| label.0).collect();
    let criteria: Vec<&str> = new.labels.iter().map(|label| label.1).collect();
    let names: Vec<&str> = new.labels.iter().map(|label| label.2).collect();
    let passes: Vec<bool> = new.labels.iter().map(|label| label.3).collect();
    sqlx::query(
        "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, submission_id,
                             assisted)
         select l.id, $5, $6, l.criterion, $7, l.label, l.pass, $8, $9, $10, $11, $12, $13
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bool[]) l (id, criterion, label, pass)",
    )
    .bind(ids)
    .bind(criteria)
    .bind(names)
    .bind(passes)
    .bind(new.assignment.sample.0)
    .bind(new.task)
    .bind(new.account.0.to_string())
    .bind(new.phase.as_str())
    .bind(&new.assignment.stream)
    .bind(new.assignment.pi)
    .bind(new.rubric_version)
    .bind(new.id)
    .bind(new.assignment.assisted)
    .execute(&mut *conn)
    .await?;
    sqlx::query(match new.phase {
        Phase::Blind => "update assignments set state = 'submitted', submitted_at = now() where id = $1",
        // An assisted answer is the first and the last one.
        Phase::Revised => {
            "update assignments set closed_at = now(), state = 'submitted', submitted_at = coalesce(submitted_at, now())
             where id = $1"
        }
    })
    .bind(new.assignment.id.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// The body hash and label ids, in the order they were written, of a submission with that key.
///
/// # Errors
/// The database's.
pub async fn submission_by_key(
    conn: &mut PgConnection,
    id: AssignmentId,
    key: &str,
) -> Result<Option<(Vec<u8>, Vec<Uuid>)>> {
    let row = sqlx::query(
        "select s.body_hash, array(select l.id from labels l where l.sample_id = a.sample_id and l.submission_id = s.id
                                   order by l.seq) as labels
         from submissions s join assignments a on a.id = s.assignment_id
         where s.assignment_id = $1 and s.idempotency_key = $2",
    )
    .bind(id.0)
    .bind(key)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((row.try_get("body_hash")?, row.try_get("labels")?))).transpose()
}

/// One's own last answers on a sample, whatever they were asked for.
///
/// # Errors
/// The database's.
pub async fn own_answers(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
) -> Result<Vec<Answer>> {
    let rows = sqlx::query(
        "select distinct on (criterion) criterion, label from labels where sample_id = $1 and rater = $2
         order by criterion, seq desc",
    )
    .bind(sample.0)
    .bind(account.0.to_string())
    .fetch_all(conn)
    .await?;
    rows.iter().map(answer).collect()
}

/// The last answers of an assignment.
///
/// # Errors
/// The database's.
pub async fn answers_of(conn: &mut PgConnection, id: AssignmentId) -> Result<Vec<Answer>> {
    let rows = sqlx::query(
        "select distinct on (l.criterion) l.criterion, l.label
         from submissions u join assignments a on a.id = u.assignment_id
         join labels l on l.sample_id = a.sample_id and l.submission_id = u.id
         where a.id = $1 order by l.criterion, l.seq desc",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(answer).collect()
}

fn answer(row: &sqlx::postgres::PgRow) -> Result<Answer> {
    Ok(Answer { criterion: row.try_get("criterion")?, label: row.try_get("label")? })
}

/// An answer beyond the overlap.
#[derive(Debug, Clone)]
pub struct NewSurplus<'a> {
    /// The assignment, locked.
    pub assignment: AssignmentId,
    /// Who answers.
    pub account: AccountId,
    /// The client's key.
    pub key: &'a str,
    /// SHA-256 of the body.
    pub body_hash: &'a [u8],
    /// The answers.
    pub answers: &'a [Answer],
    /// Free text.
    pub comment: Option<&'a str>,
    /// Seconds spent.
    pub seconds: Option<f64>,
}

/// Keeps an answer that is not needed; the first one of an assignment. It is no label.
///
/// # Errors
/// The database's.
pub async fn keep_surplus(conn: &mut PgConnection, new: &NewSurplus<'_>) -> Result<()> {
    sqlx::query(
        "insert into surplus_answers (id, assignment_id, account_id, idempotency_key, body_hash, answers, comment, seconds)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (assignment_id) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(new.assignment.0)
    .bind(new.account.0)
    .bind(new.key)
    .bind(new.body_hash)
    .bind(sqlx::types::Json(new.answers))
    .bind(new.comment)
    .bind(new.seconds)
    .execute(conn)
    .await?;
    Ok(())
}
