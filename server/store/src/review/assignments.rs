//! Assignments: leases of samples, their slots, and what a person has done.

use crate::Result;
use concord_domain::{AccountId, AssignmentId, MyProgress, Reviewed, SampleId};
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
    /// `audit`, `learning`, `gold` or `repeat`.
    pub stream: String,
    /// Inclusion probability.
    pub pi: f64,
    /// Until when the slot is held.
    pub lease_expires_at: Timestamp,
    /// The verdicts were shown.
    pub revealed: bool,
    /// It is labelled with the verdicts in view.
    pub assisted: bool,
}

impl AssignmentRow {
    /// Whether it holds a slot of its sample while it lives: gold questions and repeats are nobody's vote.
    #[must_use]
    pub fn holds_slot(&self) -> bool {
        matches!(self.stream.as_str(), "audit" | "learning")
    }
}

/// Frees the slots of leases that ran out. Samples another transaction holds are left for the next call.
///
/// Everything here that touches both locks the sample first and its assignments after; never its key, so that
/// whoever writes rows that name the sample, the audit's counts for one, waits for nobody.
///
/// # Errors
/// The database's.
pub async fn expire(conn: &mut PgConnection) -> Result<()> {
    let samples: Vec<Uuid> = sqlx::query_scalar(
        "select s.id from samples s where s.id in (
            select a.sample_id from assignments a where a.state = 'leased' and a.lease_expires_at < now() limit 200)
         order by s.id for no key update skip locked",
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
pub(super) async fn count_slots(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
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

/// The leases a person holds and has not answered, oldest first, renewed. One that is being answered or taken back
/// just now is passed by: whoever does so may be waiting for a lease that this transaction has taken back.
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
        "with held as materialized (
            select h.id, p.lease_seconds from assignments h
            join samples s on s.id = h.sample_id join programmes p on p.task = s.task
            where h.account_id = $1 and h.state = 'leased' and ($2::text is null or s.task = $2)
              and (h.assisted or h.stream = 'repeat' or not exists (
                    select 1 from verdict_views v where v.sample_id = h.sample_id and v.account_id = $1))
            order by h.created_at, h.id limit $3 for update of h skip locked)
         update assignments a set lease_expires_at = now() + make_interval(secs => held.lease_seconds)
         from held where a.id = held.id
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

/// How likely an assisted lease was, and whether this one is.
#[derive(Debug, Clone, Copy)]
pub struct Assist {
    /// Probability.
    pub pi: f64,
    /// What was drawn.
    pub drawn: bool,
}

/// Takes a slot of a locked sample that has a free one, for a new assignment or a lapsed one of this person.
/// Only a learning sample that a judge has looked at and that nobody else labels is ever assisted: what is
/// counted twice or audited is answered blind.
///
/// # Errors
/// The database's.
pub async fn take_slot(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
    id: AssignmentId,
    assist: Option<Assist>,
) -> Result<AssignmentRow> {
    let row = sqlx::query(
        "with taken as (update samples set open_slots = open_slots - 1 where id = $2 returning *)
         insert into assignments (id, sample_id, account_id, stream, pi, slot, assist_pi, assisted, lease_expires_at)
         select $1, t.id, $3, case t.half when 'audit' then 'audit' else 'learning' end, 1,
                (select min(n) from generate_series(0, t.overlap - 1) n
                 where not exists (select 1 from assignments a where a.sample_id = t.id and a.slot = n)),
                d.pi, d.pi is not null and $5, now() + make_interval(secs => p.lease_seconds)
         from taken t join programmes p on p.task = t.task
         cross join lateral (select case when t.half = 'train' and t.overlap = 1 and t.judged then $4::float8 end pi) d
         on conflict (sample_id, account_id) where stream <> 'repeat' do update
            set state = 'leased', stream = excluded.stream, pi = excluded.pi, slot = excluded.slot,
                assist_pi = excluded.assist_pi, assisted = excluded.assisted,
                lease_expires_at = excluded.lease_expires_at, created_at = now()
         returning *",
    )
    .bind(id.0)
    .bind(sample.0)
    .bind(account.0)
    .bind(assist.map(|assist| assist.pi))
    .bind(assist.is_some_and(|assist| assist.drawn))
    .fetch_one(conn)
    .await?;
    assignment(&row)
}

/// Leases a gold question, or with `repeat_of` a sample of one's own again: neither holds a slot.
///
/// # Errors
/// The database's.
pub async fn take_aside(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
    id: AssignmentId,
    repeat_of: Option<AssignmentId>,
) -> Result<AssignmentRow> {
    let row = sqlx::query(
        "insert into assignments (id, sample_id, account_id, stream, repeat_of, lease_expires_at)
         select $1, s.id, $3, case when $4::uuid is null then 'gold' else 'repeat' end, $4,
                now() + make_interval(secs => p.lease_seconds)
         from samples s join programmes p on p.task = s.task where s.id = $2
         on conflict (sample_id, account_id) where stream <> 'repeat' do update
            set state = 'leased', stream = 'gold', pi = 1, assist_pi = null, assisted = false,
                lease_expires_at = excluded.lease_expires_at, created_at = now()
         returning *",
    )
    .bind(id.0)
    .bind(sample.0)
    .bind(account.0)
    .bind(repeat_of.map(|id| id.0))
    .fetch_one(conn)
    .await?;
    assignment(&row)
}

/// One more person is asked where everybody has answered, people disagree and the programme wants it; once a
/// sample. The sample is locked.
///
/// # Errors
/// The database's.
pub async fn ask_third(conn: &mut PgConnection, sample: SampleId) -> Result<bool> {
    let done = sqlx::query(
        "update samples s set overlap = s.overlap + 1, open_slots = 1, extended = true, learning_rank = 0
         from programmes p
         where s.id = $1 and p.task = s.task and p.third <> 'never' and not s.extended and s.overlap > 1
           and s.open_slots = 0
           and s.overlap = (select count(*) from assignments a where a.sample_id = s.id and a.slot is not null)
           and not exists (select from assignments a where a.sample_id = s.id and a.state = 'leased' and a.slot is not null)
           and exists (select from blind_votes v where v.sample_id = s.id group by v.criterion
                       having bool_or(v.pass) and not bool_and(v.pass)
                          and (p.third = 'any' or count(*) = 2 * count(*) filter (where v.pass)))",
    )
    .bind(sample.0)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One's own assignment, locked after its sample; `None` if there is none or it is another's. `is not distinct from`
/// leaves the planner only the index that finds the one row: before the table's first statistics it may else read all
/// that the person ever did.
///
/// # Errors
/// The database's.
pub async fn lock(
    conn: &mut PgConnection,
    account: AccountId,
    id: AssignmentId,
) -> Result<Option<AssignmentRow>> {
    sqlx::query(
        "select from samples where id = (
            select sample_id from assignments where id = $1 and account_id is not distinct from $2)
         for no key update",
    )
    .bind(id.0)
    .bind(account.0)
    .fetch_optional(&mut *conn)
    .await?;
    let row = sqlx::query(
        "select * from assignments where id = $1 and account_id is not distinct from $2 for update",
    )
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
pub async fn retake(conn: &mut PgConnection, row: &AssignmentRow) -> Result<bool> {
    let done = sqlx::query(
        "with taken as (update samples set open_slots = open_slots - 1 where id = $2 and open_slots > 0 returning *)
         update assignments a set state = 'leased', slot = (
                select min(n) from generate_series(0, t.overlap - 1) n
                where not exists (select 1 from assignments o where o.sample_id = t.id and o.slot = n)),
            lease_expires_at = now() + make_interval(secs => p.lease_seconds)
         from taken t join programmes p on p.task = t.task where a.id = $1",
    )
    .bind(row.id.0)
    .bind(row.sample.0)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
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
                (select count(*) from (select id from samples where open_slots > 0 and half = 'audit'
                                       union all select id from samples where open_slots > 0 and half = 'train') s
                 where not exists (select 1 from assignments a where a.sample_id = s.id and a.account_id = $1
                                   and a.state <> 'expired' and a.stream <> 'repeat')
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

pub(super) fn assignment(row: &sqlx::postgres::PgRow) -> Result<AssignmentRow> {
    Ok(AssignmentRow {
        id: AssignmentId(row.try_get("id")?),
        sample: SampleId(row.try_get("sample_id")?),
        state: row.try_get("state")?,
        stream: row.try_get("stream")?,
        pi: row.try_get("pi")?,
        lease_expires_at: row.try_get::<SqlTimestamp, _>("lease_expires_at")?.to_jiff(),
        revealed: row.try_get::<Option<SqlTimestamp>, _>("revealed_at")?.is_some(),
        assisted: row.try_get("assisted")?,
    })
}
