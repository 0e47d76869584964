//! Adjudications: what leads decided, append-only, and what they decide by.

use crate::{Result, StoreError, samples};
use concord_domain::{
    Actor, Adjudication, CaseVote, Criterion, NewAdjudication, Outcome, Reason, Rubric, SampleId,
};
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use uuid::Uuid;

/// Stores decisions, in their order. `labels` are the stored labels, none where ambiguous.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    by: &Actor,
    ids: &[Uuid],
    new: &[NewAdjudication],
    labels: &[Option<String>],
) -> Result<()> {
    let samples: Vec<Uuid> = new.iter().map(|it| it.sample.0).collect();
    let criteria: Vec<&str> = new.iter().map(|it| it.criterion.as_str()).collect();
    let outcomes: Vec<&str> = new.iter().map(|it| it.outcome.as_str()).collect();
    let reasons: Vec<&str> = new.iter().map(|it| it.reason.as_str()).collect();
    let notes: Vec<Option<&str>> = new.iter().map(|it| it.note.as_deref()).collect();
    sqlx::query(
        "insert into adjudications (id, sample_id, criterion, account_id, outcome, label, reason, note)
         select n.id, n.sample, n.criterion, $1, n.outcome, n.label, n.reason, n.note
         from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
              with ordinality n (id, sample, criterion, outcome, label, reason, note, place) order by n.place",
    )
    .bind(by.account.0)
    .bind(ids)
    .bind(samples)
    .bind(criteria)
    .bind(outcomes)
    .bind(labels)
    .bind(reasons)
    .bind(notes)
    .execute(conn)
    .await?;
    Ok(())
}

/// Decisions of those ids, in the order they were stored; or those on one sample and criterion, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, which: Which<'_>) -> Result<Vec<Adjudication>> {
    let (ids, sample, criterion) = match which {
        Which::Ids(ids) => (Some(ids), None, None),
        Which::Case(sample, criterion) => (None, Some(sample.0), Some(criterion)),
    };
    let rows = sqlx::query(
        "select d.*, a.email from adjudications d join accounts a on a.id = d.account_id
         where d.id = any($1) or (d.sample_id = $2 and d.criterion = $3)
         order by case when $1 is null then -d.seq else d.seq end",
    )
    .bind(ids)
    .bind(sample)
    .bind(criterion)
    .fetch_all(conn)
    .await?;
    rows.iter().map(adjudication).collect()
}

/// Which decisions.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Of these ids.
    Ids(&'a [Uuid]),
    /// On this sample and criterion.
    Case(SampleId, &'a str),
}

fn adjudication(row: &sqlx::postgres::PgRow) -> Result<Adjudication> {
    let (outcome, reason): (String, String) = (row.try_get("outcome")?, row.try_get("reason")?);
    let odd =
        |column, why: &str| StoreError::Inconsistent { table: "adjudications", column, why: why.to_owned() };
    Ok(Adjudication {
        id: row.try_get("id")?,
        sample: SampleId(row.try_get("sample_id")?),
        criterion: row.try_get("criterion")?,
        outcome: Outcome::parse(&outcome).ok_or_else(|| odd("outcome", &outcome))?,
        label: row.try_get("label")?,
        reason: Reason::parse(&reason).ok_or_else(|| odd("reason", &reason))?,
        note: row.try_get("note")?,
        by: row.try_get("email")?,
        at: row.try_get::<Timestamp, _>("at")?.to_jiff(),
    })
}

/// Of these samples, those that this person has labelled, under their account or their address.
///
/// # Errors
/// The database's.
pub async fn labelled_by(
    conn: &mut PgConnection,
    person: &Actor,
    samples: &[SampleId],
) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    let own: Vec<Uuid> = sqlx::query_scalar(
        "select distinct sample_id from labels
         where sample_id = any($1) and (rater = $2 or lower(rater) = $3)",
    )
    .bind(ids)
    .bind(person.account.0.to_string())
    .bind(person.email.to_lowercase())
    .fetch_all(conn)
    .await?;
    Ok(own.into_iter().map(SampleId).collect())
}

/// The criteria that may be decided on, by sample: those of the sample's rubric, and those that an import's
/// labels name beside it. Samples that do not exist are missing.
///
/// # Errors
/// The database's.
pub async fn criteria(
    conn: &mut PgConnection,
    samples: &[SampleId],
) -> Result<HashMap<SampleId, Vec<Criterion>>> {
    let ids: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    let rows = sqlx::query(
        "select s.id, s.task || ' ' || s.rubric_version rubric,
                array(select distinct l.criterion from labels l where l.sample_id = s.id) labelled
         from samples s where s.id = any($1)",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    let rubrics = sqlx::query(
        "select distinct r.task || ' ' || r.version rubric, r.body from rubrics r
         join samples s on s.task = r.task and s.rubric_version = r.version where s.id = any($1)",
    )
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    let mut known: HashMap<String, Rubric> = HashMap::new();
    for row in &rubrics {
        known.insert(row.try_get("rubric")?, row.try_get::<sqlx::types::Json<Rubric>, _>("body")?.0);
    }
    let mut found = HashMap::new();
    for row in &rows {
        let rubric = known.get(&row.try_get::<String, _>("rubric")?);
        let mut criteria = rubric.map(|rubric| rubric.criteria.clone()).unwrap_or_default();
        for name in row.try_get::<Vec<String>, _>("labelled")? {
            if !criteria.iter().any(|criterion| criterion.name == name) {
                criteria.push(Criterion::plain(&name));
            }
        }
        found.insert(SampleId(row.try_get("id")?), criteria);
    }
    Ok(found)
}

/// Everybody's answers on a case, oldest first, with what they wrote beside them.
///
/// # Errors
/// The database's.
pub async fn votes(conn: &mut PgConnection, sample: SampleId, criterion: &str) -> Result<Vec<CaseVote>> {
    let rows = sqlx::query(
        "select coalesce(a.email, l.rater) rater, l.label, l.pass, l.phase, l.stream, b.comment, l.at
         from labels l left join accounts a on a.id::text = l.rater left join submissions b on b.id = l.submission_id
         where l.sample_id = $1 and l.criterion = $2 order by l.seq",
    )
    .bind(sample.0)
    .bind(criterion)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CaseVote {
                rater: row.try_get("rater")?,
                label: row.try_get("label")?,
                pass: row.try_get("pass")?,
                phase: samples::phase(row.try_get::<String, _>("phase")?.as_str())?,
                stream: row.try_get("stream")?,
                comment: row.try_get("comment")?,
                at: row.try_get::<Timestamp, _>("at")?.to_jiff(),
            })
        })
        .collect()
}
