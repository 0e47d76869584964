//! Review: lease, label blind, reveal, revise. Nothing here reads a verdict before the blind answer of
//! the same person is stored, but on an assisted lease, which says so.

mod checks;
mod lease;

use crate::error::OrInternal;
use crate::judging;
use async_trait::async_trait;
pub(crate) use checks::answered;
use checks::{
    OVERLAP_FULL, admit, body_hash, bounded, check_answers, check_bounds, check_programme, check_unsupported,
};
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Answer, Assignment, AssignmentId, Capability, Error, LabelId, LabelRecord, MyProgress, Phase,
    Programme, Reveal, Reviewed, Rubric, Submission, Submitted,
};
use concord_store::review::{AssignmentRow, NewSubmission, NewSurplus};
use concord_store::{events, jobs, review, rubrics, samples, verdicts};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A person will look at it: before the batches, unlike those of samples that only may be served.
const RATIONALE_PRIORITY: i32 = 15;

/// The review use cases.
#[derive(Debug, Clone)]
pub struct ReviewService {
    pool: PgPool,
}

impl ReviewService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl api::Review for ReviewService {
    async fn next(&self, actor: &Actor, task: Option<&str>, count: u32) -> Result<Vec<Assignment>> {
        actor.require(Capability::Review)?;
        if !(1..=4).contains(&count) {
            return Err(Error::invalid("count", "between 1 and 4"));
        }
        let mut tx = review::begin(&self.pool).await.or_internal()?;
        review::lock_queue_of(&mut tx, actor.account).await.or_internal()?;
        review::expire(&mut tx).await.or_internal()?;
        let mut rows = review::held(&mut tx, actor.account, task, i64::from(count)).await.or_internal()?;
        let wanted = (count as usize).saturating_sub(rows.len());
        rows.extend(lease::fill(&mut tx, actor, task, wanted).await?);
        let keys: Vec<String> = rows.iter().map(|row| judging::rationale_key(row.sample)).collect();
        jobs::raise(&mut tx, &keys, RATIONALE_PRIORITY).await.or_internal()?;
        let assignments = assignments(&mut tx, rows).await?;
        tx.commit().await.or_internal()?;
        Ok(assignments)
    }

    async fn submit(
        &self,
        actor: &Actor,
        id: AssignmentId,
        key: &str,
        submission: Submission,
    ) -> Result<Submitted> {
        actor.require(Capability::Review)?;
        check_bounds(key, &submission)?;
        let hash = body_hash(&submission)?;
        let mut tx = review::begin(&self.pool).await.or_internal()?;
        let row = owned(&mut tx, actor, id).await?;
        if let Some((stored, labels)) = review::submission_by_key(&mut tx, id, key).await.or_internal()? {
            return if stored == hash {
                Ok(Submitted { labels: labels.into_iter().map(LabelId).collect() })
            } else {
                Err(Error::invalid("Idempotency-Key", "was used with another body"))
            };
        }
        let admitted = admit(&mut tx, actor, &row, submission.phase).await;
        let surplus = matches!(&admitted, Err(Error::Conflict { code, .. }) if code == OVERLAP_FULL);
        if !surplus {
            admitted.clone()?;
        }
        let loaded = load_one(&mut tx, &row).await?;
        let rubric =
            rubrics::version(&mut tx, &loaded.sample.task, &loaded.rubric_version).await.or_internal()?;
        let answers = check_answers(&rubric, &submission.answers)?;
        let unsupported = check_unsupported(&loaded.sample, &submission.unsupported)?;
        let comment = submission.comment.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if surplus {
            let new = NewSurplus {
                assignment: id,
                account: actor.account,
                key,
                body_hash: &hash,
                answers: &submission.answers,
                comment,
                seconds: submission.seconds,
            };
            review::keep_surplus(&mut tx, &new).await.or_internal()?;
            tx.commit().await.or_internal()?;
            return admitted.map(|()| Submitted { labels: Vec::new() });
        }
        let labels: Vec<(Uuid, &str, &str, bool)> = answers
            .iter()
            .map(|(criterion, label, pass)| (Uuid::now_v7(), *criterion, *label, *pass))
            .collect();
        let new = NewSubmission {
            id: Uuid::now_v7(),
            assignment: &row,
            account: actor.account,
            phase: submission.phase,
            key,
            body_hash: &hash,
            comment,
            seconds: submission.seconds,
            task: &loaded.sample.task,
            rubric_version: &loaded.rubric_version,
            labels: &labels,
        };
        review::insert_submission(&mut tx, &new).await.or_internal()?;
        if !unsupported.is_empty() {
            review::mark_unsupported(&mut tx, new.id, row.sample, actor.account, &unsupported)
                .await
                .or_internal()?;
        }
        if submission.phase == Phase::Blind && row.holds_slot() {
            review::ask_third(&mut tx, row.sample).await.or_internal()?;
        }
        tx.commit().await.or_internal()?;
        Ok(Submitted { labels: labels.iter().map(|label| LabelId(label.0)).collect() })
    }

    async fn reveal(&self, actor: &Actor, id: AssignmentId) -> Result<Reveal> {
        actor.require(Capability::Review)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let row = owned(&mut tx, actor, id).await?;
        if row.state != "submitted" && !(row.assisted && row.state == "leased") {
            return Err(Error::conflict(
                "not_submitted",
                "the blind answers are not stored yet: submit them first",
            ));
        }
        review::log_views(&mut tx, actor.account, &[row.sample]).await.or_internal()?;
        if !row.revealed {
            review::mark_revealed(&mut tx, id).await.or_internal()?;
            let detail = serde_json::json!({"sample": row.sample, "assisted": row.assisted});
            events::append(&mut tx, Some(actor.account), "reveal", &id.to_string(), &detail)
                .await
                .or_internal()?;
        }
        let verdicts = verdicts::of_sample(&mut tx, row.sample).await.or_internal()?;
        let linked = review::linked_fails(&mut tx, row.sample, Some(actor.account)).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(Reveal { verdicts, linked })
    }

    async fn skip(&self, actor: &Actor, id: AssignmentId, reason: &str) -> Result<()> {
        actor.require(Capability::Review)?;
        let reason = bounded(reason, 500)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let row = unanswered(&mut tx, actor, id).await?;
        review::skip(&mut tx, &row, reason).await.or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn escalate(&self, actor: &Actor, id: AssignmentId, reason: &str) -> Result<()> {
        actor.require(Capability::Review)?;
        let reason = bounded(reason, 2000)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let row = unanswered(&mut tx, actor, id).await?;
        review::skip(&mut tx, &row, "escalated").await.or_internal()?;
        review::escalate(&mut tx, actor.account, &row, reason).await.or_internal()?;
        let detail = serde_json::json!({"sample": row.sample});
        events::append(&mut tx, Some(actor.account), "escalate", &id.to_string(), &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn reopen(&self, actor: &Actor, id: AssignmentId) -> Result<(Assignment, Vec<Answer>)> {
        actor.require(Capability::Review)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let row = owned(&mut tx, actor, id).await?;
        let answers = review::answers_of(&mut tx, id).await.or_internal()?;
        let assignment = assignments(&mut tx, vec![row]).await?.pop();
        Ok((assignment.ok_or_else(|| Error::not_found("assignment"))?, answers))
    }

    async fn recent(&self, actor: &Actor, limit: u32) -> Result<Vec<Reviewed>> {
        actor.require(Capability::Review)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        review::recent(&mut conn, actor.account, i64::from(limit.min(100))).await.or_internal()
    }

    async fn labels(
        &self,
        actor: &Actor,
        task: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<LabelRecord>> {
        actor.require(Capability::ReadAll)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let limit = i64::from(limit.min(10_000));
        let records = review::label_log(&mut tx, task, after.unwrap_or(0), limit).await.or_internal()?;
        // Who has read other people's answers on a sample is never given it blind.
        let samples: Vec<_> = records.iter().map(|record| record.sample_id).collect();
        review::log_views(&mut tx, actor.account, &samples).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(records)
    }

    async fn rubric(&self, actor: &Actor, task: &str) -> Result<Rubric> {
        actor.require(Capability::ReadOwn)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        rubrics::current(&mut conn, task).await.or_internal()?.ok_or_else(|| Error::not_found("rubric"))
    }

    async fn progress(&self, actor: &Actor) -> Result<MyProgress> {
        actor.require(Capability::ReadOwn)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        review::progress(&mut conn, actor.account).await.or_internal()
    }

    async fn programme(&self, actor: &Actor, task: &str) -> Result<Programme> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        review::programme(&mut conn, task).await.or_internal()?.ok_or_else(|| Error::not_found("task"))
    }

    async fn set_programme(&self, actor: &Actor, task: &str, programme: Programme) -> Result<Programme> {
        actor.require(Capability::ManageProgramme)?;
        check_programme(&programme)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        if !review::set_programme(&mut tx, task, &programme).await.or_internal()? {
            return Err(Error::not_found("task"));
        }
        let detail = serde_json::json!(programme);
        events::append(&mut tx, Some(actor.account), "programme", task, &detail).await.or_internal()?;
        tx.commit().await.or_internal()?;
        Ok(programme)
    }
}

/// The assignment, locked; another's is not there.
async fn owned(conn: &mut PgConnection, actor: &Actor, id: AssignmentId) -> Result<AssignmentRow> {
    review::lock(conn, actor.account, id).await.or_internal()?.ok_or_else(|| Error::not_found("assignment"))
}

/// One's own assignment that is not answered yet, locked.
async fn unanswered(conn: &mut PgConnection, actor: &Actor, id: AssignmentId) -> Result<AssignmentRow> {
    let row = owned(conn, actor, id).await?;
    if row.state == "submitted" {
        return Err(Error::conflict("already_submitted", "this sample is labelled already"));
    }
    Ok(row)
}

async fn load_one(conn: &mut PgConnection, row: &AssignmentRow) -> Result<samples::Loaded> {
    samples::load(conn, &[row.sample]).await.or_internal()?.pop().ok_or_else(|| Error::not_found("sample"))
}

/// Assignments with what a person needs to answer them.
async fn assignments(conn: &mut PgConnection, rows: Vec<AssignmentRow>) -> Result<Vec<Assignment>> {
    let ids: Vec<_> = rows.iter().map(|row| row.sample).collect();
    let loaded = samples::load(conn, &ids).await.or_internal()?;
    let mut assignments = Vec::with_capacity(rows.len());
    for (row, loaded) in rows.into_iter().zip(loaded) {
        let rubric =
            rubrics::version(conn, &loaded.sample.task, &loaded.rubric_version).await.or_internal()?;
        assignments.push(Assignment {
            id: row.id,
            sample: loaded.sample,
            rubric,
            lease_expires_at: row.lease_expires_at,
            assisted: row.assisted,
        });
    }
    Ok(assignments)
}
