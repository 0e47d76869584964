//! Assignments, submissions and labels. Overlap, one blind answer a person and append-only labels are
//! held by constraints of the schema; these statements only ask in the right order.

use crate::{Result, samples};
use concord_domain::{
    AccountId, Answer, AssignmentId, LabelRecord, MyProgress, Phase, Programme, Reviewed, SampleId,
};
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// An assignment as stored.
#[derive(Debug, Clone)]
pub struct AssignmentRow {
    /// Its id.
    pub id: AssignmentId,
    /// The sample.
    pub sample: SampleId,
    /// `leased`, `submitted`, `expired` or `skipped`.
    pub state: String,
    /// `audit`, `learning` or `gold`.
    pub stream: String,
    /// Inclusion probability.
    pub pi: f64,
    /// Until when the slot is held.
    pub lease_expires_at: Timestamp,
    /// The verdicts were shown.
    pub revealed: bool,
}

/// Frees the slots of leases that ran out. Samples another transaction holds are left for the next call.
///
/// Everything here that touches both locks the sample first and its assignments after.
///
/// # Errors
/// The database's.
pub async fn expire(conn: &mut PgConnection) -> Result<()> {
    let samples: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s where s.id in (
            select a.sample_id from assignments a where a.state = 'leased' and a.lease_expires_at < now() limit 200)
         order by s.id for update skip locked",
    )
    .fetch_all(&mut *conn)
    .await?;
    if samples.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update assignments set state = 'expired', slot = null
         where sample_id = any($1) and state = 'leased' and lease_expires_at < now()",
    )
    .bind(&samples)
    .execute(&mut *conn)
    .await?;
    count_slots(conn, &samples).await
}

/// Counts the free slots of locked samples anew. A lowered overlap may leave more people on a sample than it
/// has slots: it is then full, until enough of them have given theirs back.
async fn count_slots(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
    sqlx::query(
        "update samples s set open_slots = greatest(0, s.overlap - (
            select count(*)::int from assignments a where a.sample_id = s.id and a.slot is not null))
         where s.id = any($1)",
    )
    .bind(samples)
    .execute(conn)
    .await?;
    Ok(())
}

/// The leases a person holds and has not answered, oldest first, renewed.
///
/// # Errors
/// The database's.
pub async fn held(
    conn: &mut PgConnection,
    account: AccountId,
    task: Option<&str>,
    limit: i64,
) -> Result<Vec<AssignmentRow>> {
    let rows = sqlx::query(
        "update assignments a set lease_expires_at = now() + make_interval(secs => p.lease_seconds)
         from samples s join programmes p on p.task = s.task
         where a.sample_id = s.id and a.state = 'leased' and a.id in (
            select h.id from assignments h join samples hs on hs.id = h.sample_id
            where h.account_id = $1 and h.state = 'leased' and ($2::text is null or hs.task = $2)
              and not exists (select 1 from verdict_views v where v.sample_id = h.sample_id and v.account_id = $1)
            order by h.created_at, h.id limit $3 for update of h)
         returning a.*",
    )
    .bind(account.0)
    .bind(task)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let mut held = rows.iter().map(assignment).collect::<Result<Vec<_>>>()?;
    held.sort_by_key(|row| row.id);
    Ok(held)
}

/// Leases samples with a free slot that this person has neither had nor seen the verdicts of.
/// `ids` are the assignments' ids to use; as many are leased as there are ids and samples.
///
/// # Errors
/// The database's.
pub async fn lease(
    conn: &mut PgConnection,
    account: AccountId,
    task: Option<&str>,
    ids: &[AssignmentId],
) -> Result<Vec<AssignmentRow>> {
    let picked: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s
         where s.open_slots > 0 and ($2::text is null or s.task = $2)
           and not exists (select 1 from assignments a
                           where a.sample_id = s.id and a.account_id = $1 and a.state <> 'expired')
           and not exists (select 1 from verdict_views v where v.sample_id = s.id and v.account_id = $1)
         order by s.serve_order, s.id limit $3 for update of s skip locked",
    )
    .bind(account.0)
    .bind(task)
    .bind(i64::try_from(ids.len()).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await?;
    let mut leased = Vec::with_capacity(picked.len());
    for (sample, id) in picked.into_iter().zip(ids) {
        leased.push(take_slot(conn, account, SampleId(sample), *id).await?);
    }
    Ok(leased)
}

/// Takes a slot of a locked sample that has a free one, for a new assignment or a lapsed one of this person.
async fn take_slot(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
    id: AssignmentId,
) -> Result<AssignmentRow> {
    sqlx::query("update samples set open_slots = open_slots - 1 where id = $1")
        .bind(sample.0)
        .execute(&mut *conn)
        .await?;
    let row = sqlx::query(
        "insert into assignments (id, sample_id, account_id, stream, slot, lease_expires_at)
         select $1, s.id, $3, case s.half when 'audit' then 'audit' else 'learning' end,
                (select min(n) from generate_series(0, s.overlap - 1) n
                 where not exists (select 1 from assignments a where a.sample_id = s.id and a.slot = n)),
                now() + make_interval(secs => p.lease_seconds)
         from samples s join programmes p on p.task = s.task where s.id = $2
         on conflict (sample_id, account_id) do update
            set state = 'leased', slot = excluded.slot, lease_expires_at = excluded.lease_expires_at
         returning *",
    )
    .bind(id.0)
    .bind(sample.0)
    .bind(account.0)
    .fetch_one(conn)
    .await?;
    assignment(&row)
}

/// One's own assignment, locked after its sample; `None` if there is none or it is another's.
///
/// # Errors
/// The database's.
pub async fn lock(
    conn: &mut PgConnection,
    account: AccountId,
    id: AssignmentId,
) -> Result<Option<AssignmentRow>> {
    sqlx::query(
        "select from samples where id = (select sample_id from assignments where id = $1 and account_id = $2) for update",
    )
    .bind(id.0)
    .bind(account.0)
    .fetch_optional(&mut *conn)
    .await?;
    let row = sqlx::query("select * from assignments where id = $1 and account_id = $2 for update")
        .bind(id.0)
        .bind(account.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(assignment).transpose()
}

/// Takes a slot again for a locked assignment that lost it; `false` if every slot is filled.
///
/// # Errors
/// The database's.
pub async fn retake(conn: &mut PgConnection, account: AccountId, row: &AssignmentRow) -> Result<bool> {
    let free: Option<i32> = sqlx::query_scalar("select open_slots from samples where id = $1")
        .bind(row.sample.0)
        .fetch_optional(&mut *conn)
        .await?;
    if free.unwrap_or(0) == 0 {
        return Ok(false);
    }
    take_slot(conn, account, row.sample, row.id).await?;
    Ok(true)
}

/// Marks a locked assignment as skipped and gives its slot back.
///
/// # Errors
/// The database's.
pub async fn skip(conn: &mut PgConnection, row: &AssignmentRow, reason: &str) -> Result<()> {
    sqlx::query("update assignments set state = 'skipped', slot = null, skip_reason = $2 where id = $1")
        .bind(row.id.0)
        .bind(reason)
        .execute(&mut *conn)
        .await?;
    count_slots(conn, &[row.sample.0]).await
}

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
        "insert into labels (id, sample_id, task, criterion, rater, label, pass, phase, stream, pi, rubric_version, submission_id)
         select l.id, $5, $6, l.criterion, $7, l.label, l.pass, $8, $9, $10, $11, $12
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
    .execute(&mut *conn)
    .await?;
    sqlx::query(match new.phase {
        Phase::Blind => "update assignments set state = 'submitted', submitted_at = now() where id = $1",
        Phase::Revised => "update assignments set closed_at = now() where id = $1",
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
        "select s.body_hash, array_agg(l.id order by l.seq) as labels
         from submissions s join labels l on l.submission_id = s.id
         where s.assignment_id = $1 and s.idempotency_key = $2 group by s.id",
    )
    .bind(id.0)
    .bind(key)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((row.try_get("body_hash")?, row.try_get("labels")?))).transpose()
}

/// One's own last answers on a sample, with the phase of the last submission.
///
/// # Errors
/// The database's.
pub async fn own_answers(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
) -> Result<Vec<Answer>> {
    let rows = sqlx::query("select criterion, label from final_votes where sample_id = $1 and rater = $2")
        .bind(sample.0)
        .bind(account.0.to_string())
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(Answer { criterion: row.try_get("criterion")?, label: row.try_get("label")? }))
        .collect()
}

/// Whether this person's blind answer on a sample is stored.
///
/// # Errors
/// The database's.
pub async fn has_blind(conn: &mut PgConnection, account: AccountId, sample: SampleId) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select 1 from labels where sample_id = $1 and rater = $2 and phase = 'blind')",
    )
    .bind(sample.0)
    .bind(account.0.to_string())
    .fetch_one(conn)
    .await?)
}

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

/// Marks the reveal.
///
/// # Errors
/// The database's.
pub async fn mark_revealed(conn: &mut PgConnection, id: AssignmentId) -> Result<()> {
    sqlx::query("update assignments set revealed_at = coalesce(revealed_at, now()) where id = $1")
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// One's own last submitted samples, newest first.
///
/// # Errors
/// The database's.
pub async fn recent(conn: &mut PgConnection, account: AccountId, limit: i64) -> Result<Vec<Reviewed>> {
    let rows = sqlx::query(
        "select a.id, s.id as sample_id, s.task, s.text from assignments a join samples s on s.id = a.sample_id
         where a.account_id = $1 and a.state = 'submitted' order by a.submitted_at desc limit $2",
    )
    .bind(account.0)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Reviewed {
                assignment: AssignmentId(row.try_get("id")?),
                sample: SampleId(row.try_get("sample_id")?),
                task: row.try_get("task")?,
                text: row.try_get("text")?,
            })
        })
        .collect()
}

/// One's own day.
///
/// # Errors
/// The database's.
pub async fn progress(conn: &mut PgConnection, account: AccountId) -> Result<MyProgress> {
    let row = sqlx::query(
        "select count(*) filter (where state = 'submitted' and submitted_at >= date_trunc('day', now() at time zone 'utc') at time zone 'utc') today,
                count(*) filter (where state = 'submitted') total,
                count(*) filter (where state = 'leased') held,
                (select count(*) from samples s where s.open_slots > 0
                    and not exists (select 1 from assignments a where a.sample_id = s.id and a.account_id = $1
                                    and a.state <> 'expired')
                    and not exists (select 1 from verdict_views v where v.sample_id = s.id and v.account_id = $1)) open
         from assignments where account_id = $1",
    )
    .bind(account.0)
    .fetch_one(conn)
    .await?;
    Ok(MyProgress {
        today: row.try_get("today")?,
        total: row.try_get("total")?,
        open: row.try_get::<i64, _>("open")? + row.try_get::<i64, _>("held")?,
    })
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

/// How the review of a task is run.
///
/// # Errors
/// The database's.
pub async fn programme(conn: &mut PgConnection, task: &str) -> Result<Option<Programme>> {
    let row = sqlx::query("select overlap, lease_seconds, gold_rate from programmes where task = $1")
        .bind(task)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Programme {
            overlap: row.try_get("overlap")?,
            lease_seconds: row.try_get("lease_seconds")?,
            gold_rate: row.try_get("gold_rate")?,
        })
    })
    .transpose()
}

/// Changes how the review of a task is run; samples up for review get the new overlap, and live
/// assignments keep their slots. `false` if there is no such task.
///
/// # Errors
/// The database's.
pub async fn set_programme(conn: &mut PgConnection, task: &str, programme: &Programme) -> Result<bool> {
    let done =
        sqlx::query("update programmes set overlap = $2, lease_seconds = $3, gold_rate = $4 where task = $1")
            .bind(task)
            .bind(programme.overlap)
            .bind(programme.lease_seconds)
            .bind(programme.gold_rate)
            .execute(&mut *conn)
            .await?;
    let samples: Vec<Uuid> = sqlx::query_scalar(
        "select id from samples where task = $1 and overlap > 0 and overlap <> $2 order by id for update",
    )
    .bind(task)
    .bind(programme.overlap)
    .fetch_all(&mut *conn)
    .await?;
    // Closed first: the count of free slots may not exceed the overlap at any moment.
    sqlx::query("update samples set open_slots = 0, overlap = $2 where id = any($1)")
        .bind(&samples)
        .bind(programme.overlap)
        .execute(&mut *conn)
        .await?;
    count_slots(conn, &samples).await?;
    Ok(done.rows_affected() == 1)
}

fn assignment(row: &sqlx::postgres::PgRow) -> Result<AssignmentRow> {
    Ok(AssignmentRow {
        id: AssignmentId(row.try_get("id")?),
        sample: SampleId(row.try_get("sample_id")?),
        state: row.try_get("state")?,
        stream: row.try_get("stream")?,
        pi: row.try_get("pi")?,
        lease_expires_at: row.try_get::<SqlTimestamp, _>("lease_expires_at")?.to_jiff(),
        revealed: row.try_get::<Option<SqlTimestamp>, _>("revealed_at")?.is_some(),
    })
}
