//! Which sample a person gets next. Every statement reads a few rows of an index a task, however long the queue
//! is; what it gives is locked, and what others hold just now is passed by.

use crate::Result;
use concord_domain::{AccountId, AssignmentId, SampleId};
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction};
use uuid::Uuid;

/// Candidates looked at a task, so that what others hold this moment leaves some.
const CANDIDATES: i64 = 24;
/// Open samples looked at from the head of a queue before it is taken up where the person left it: whoever works
/// alone at an overlap of two leaves a long tail of samples that only others may have.
const HEAD: i64 = 200;

/// The half that a queue serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Served in an order that knows nothing of verdicts.
    Audit,
    /// Served by what can be learnt from it.
    Train,
}

/// A place in the queues: the sample a person had last.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its half.
    pub half: Half,
    /// Its user's place.
    pub serve_order: i32,
    /// Its rank in the learning order.
    pub learning_rank: f64,
    /// The sample.
    pub sample: Uuid,
}

/// Begins a transaction of the review. Its statements each read a few rows by an index, and are planned once a
/// connection: planned while the tables are still small they would read them whole for ever after.
///
/// # Errors
/// The database's.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    Ok(pool.begin_with("begin; set local enable_seqscan = off").await?)
}

/// Lets a person's requests for samples run one after another, so that two tabs never get the same sample twice.
///
/// # Errors
/// The database's.
pub async fn lock_queue_of(conn: &mut PgConnection, account: AccountId) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('queue:' || $1::text, 0))")
        .bind(account.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The sample a person was given last, of one half or of any.
///
/// # Errors
/// The database's.
pub async fn last_place(
    conn: &mut PgConnection,
    account: AccountId,
    half: Option<Half>,
) -> Result<Option<Place>> {
    let row = sqlx::query(
        "select s.id, s.half, s.serve_order, s.learning_rank from assignments a join samples s on s.id = a.sample_id
         where a.account_id = $1 and a.stream = any($2) order by a.created_at desc, a.id desc limit 1",
    )
    .bind(account.0)
    .bind(match half {
        Some(Half::Audit) => &["audit"][..],
        Some(Half::Train) => &["learning"],
        None => &["audit", "learning"],
    })
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Place {
            half: if row.try_get::<&str, _>("half")? == "audit" { Half::Audit } else { Half::Train },
            serve_order: row.try_get("serve_order")?,
            learning_rank: row.try_get("learning_rank")?,
            sample: row.try_get("id")?,
        })
    })
    .transpose()
}

/// A person has neither had `id` nor seen its verdicts. Asked sample by sample, on purpose: as an anti-join the
/// planner may read everything a person ever did to look at a few rows of the queue; and `is not distinct from`
/// leaves it only the index by sample, for the same reason.
macro_rules! fresh {
    ($id:literal) => {
        concat!(
            "(select true from assignments a where a.sample_id = ",
            $id,
            " and a.account_id is not distinct from $1 and a.state <> 'expired' and a.stream <> 'repeat' limit 1) is null
             and (select true from verdict_views v where v.sample_id = ",
            $id,
            " and v.account_id = $1 limit 1) is null"
        )
    };
}

/// Locks the first of the candidates `c` (id, place) that is still open and that nobody else holds.
macro_rules! first_of {
    ($($candidates:tt)*) => {
        concat!(
            "select s.id from (", $($candidates)*, ") c join samples s on s.id = c.id
             where s.open_slots > 0 order by c.place, c.id limit 1 for no key update of s skip locked"
        )
    };
}

/// The open samples of a user after one of them, in the order of the chain.
macro_rules! of_user {
    ($half:literal) => {
        concat!(
            "select f.id, 0 place from unnest($2::text[]) t (task) cross join lateral (
                select s.id from samples s
                where s.task = t.task and s.half = '",
            $half,
            "' and s.open_slots > 0
                  and s.serve_order = $3 and s.id > $4 and ",
            fresh!("s.id"),
            "
                order by s.id limit $5) f"
        )
    };
}
const OF_AUDIT_USER: &str = first_of!(of_user!("audit"));
const OF_TRAIN_USER: &str = first_of!(of_user!("train"));

/// The first `$6` open samples of each task from a place on, as far as they are fresh to the person.
macro_rules! in_order {
    ($half:literal, $rank:literal) => {
        concat!(
            "select f.id, f.place, f.serve_order from unnest($2::text[]) t (task) cross join lateral (
                select w.id, w.place, w.serve_order from (
                    select s.id, s.",
            $rank,
            " place, s.serve_order from samples s
                    where s.task = t.task and s.half = '",
            $half,
            "' and s.open_slots > 0
                      and (s.",
            $rank,
            ", s.id) > ($3, $4)
                    order by s.",
            $rank,
            ", s.id limit $6) w
                where ",
            fresh!("w.id"),
            "
                order by w.place, w.id limit $5) f"
        )
    };
}
const NEXT_AUDIT: &str = first_of!(in_order!("audit", "serve_order"));
const NEXT_LEARNING: &str = first_of!(in_order!("train", "learning_rank"));
const LEARNING_USER: &str = concat!(
    "select serve_order from (",
    in_order!("train", "learning_rank"),
    ") c order by place, id limit 1"
);

/// The next sample of the user at a place in the queue, after that sample; `None` if there is none.
///
/// # Errors
/// The database's.
pub async fn next_of_user(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
    place: Place,
) -> Result<Option<SampleId>> {
    let found = sqlx::query_scalar(match place.half {
        Half::Audit => OF_AUDIT_USER,
        Half::Train => OF_TRAIN_USER,
    })
    .bind(account.0)
    .bind(tasks)
    .bind(place.serve_order)
    .bind(place.sample)
    .bind(CANDIDATES)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(SampleId))
}

/// The next sample of the audit half: users in a shuffled order.
///
/// # Errors
/// The database's.
pub async fn next_audit(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
) -> Result<Option<SampleId>> {
    let start = (i32::MIN, Uuid::nil());
    if let Some(found) = audit_from(conn, account, tasks, start, Some(HEAD)).await? {
        return Ok(Some(found));
    }
    if let Some(last) = last_place(conn, account, Some(Half::Audit)).await?
        && let Some(found) = audit_from(conn, account, tasks, (last.serve_order, last.sample), None).await?
    {
        return Ok(Some(found));
    }
    audit_from(conn, account, tasks, start, None).await
}

async fn audit_from(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
    from: (i32, Uuid),
    window: Option<i64>,
) -> Result<Option<SampleId>> {
    let found = sqlx::query_scalar(NEXT_AUDIT)
        .bind(account.0)
        .bind(tasks)
        .bind(from.0)
        .bind(from.1)
        .bind(CANDIDATES)
        .bind(window)
        .fetch_optional(conn)
        .await?;
    Ok(found.map(SampleId))
}

/// The next sample of the train half: the first one of the user who has the sample of the lowest rank.
///
/// # Errors
/// The database's.
pub async fn next_learning(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
) -> Result<Option<SampleId>> {
    let start = (f64::NEG_INFINITY, Uuid::nil());
    if let Some(found) = learning_from(conn, account, tasks, start, Some(HEAD)).await? {
        return Ok(Some(found));
    }
    if let Some(last) = last_place(conn, account, Some(Half::Train)).await?
        && let Some(found) =
            learning_from(conn, account, tasks, (last.learning_rank, last.sample), None).await?
    {
        return Ok(Some(found));
    }
    learning_from(conn, account, tasks, start, None).await
}

async fn learning_from(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
    from: (f64, Uuid),
    window: Option<i64>,
) -> Result<Option<SampleId>> {
    let user: Option<i32> = sqlx::query_scalar(LEARNING_USER)
        .bind(account.0)
        .bind(tasks)
        .bind(from.0)
        .bind(from.1)
        .bind(CANDIDATES)
        .bind(window)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(serve_order) = user else { return Ok(None) };
    let first = Place { half: Half::Train, serve_order, learning_rank: from.0, sample: Uuid::nil() };
    if let Some(found) = next_of_user(conn, account, tasks, first).await? {
        return Ok(Some(found));
    }
    // Others hold that user's samples this moment.
    let found = sqlx::query_scalar(NEXT_LEARNING)
        .bind(account.0)
        .bind(tasks)
        .bind(from.0)
        .bind(from.1)
        .bind(CANDIDATES)
        .bind(window)
        .fetch_optional(conn)
        .await?;
    Ok(found.map(SampleId))
}

/// A gold question of these tasks that the person has not had, in an order of their own. A sample of the audit
/// half waits until its own answers are in.
///
/// # Errors
/// The database's.
pub async fn next_gold(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
) -> Result<Option<SampleId>> {
    const GOLD: &str = concat!(
        "select s.id from gold_questions g join samples s on s.id = g.sample_id
         where g.active and g.task = any($2) and s.text <> '' and (s.half = 'train' or s.open_slots = 0) and ",
        fresh!("s.id"),
        " order by hashtextextended(s.id::text || $1::text, 0) limit 1 for no key update of s skip locked"
    );
    let found = sqlx::query_scalar(GOLD).bind(account.0).bind(tasks).fetch_optional(conn).await?;
    Ok(found.map(SampleId))
}

/// A sample of these tasks that the person answered blind so many days ago and was not asked again: the newest
/// such. `days` stand beside the tasks.
///
/// # Errors
/// The database's.
pub async fn next_repeat(
    conn: &mut PgConnection,
    account: AccountId,
    tasks: &[String],
    days: &[i32],
) -> Result<Option<(AssignmentId, SampleId)>> {
    let row: Option<(Uuid, Uuid)> = sqlx::query_as(
        "select a.id, s.id from assignments a join samples s on s.id = a.sample_id
         join unnest($2::text[], $3::int[]) t (task, days) on t.task = s.task
         where a.account_id = $1 and a.state = 'submitted' and a.stream in ('audit', 'learning') and not a.assisted
           and a.submitted_at < now() - make_interval(days => (select min(d) from unnest($3::int[]) d))
           and a.submitted_at < now() - make_interval(days => t.days)
           and not exists (select 1 from assignments r where r.repeat_of = a.id)
         order by a.submitted_at desc limit 1 for no key update of s skip locked",
    )
    .bind(account.0)
    .bind(tasks)
    .bind(days)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(of, sample)| (AssignmentId(of), SampleId(sample))))
}
