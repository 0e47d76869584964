//! Gold questions, and how people do on them and on repeats of their own samples.

use crate::Result;
use concord_domain::{AccountId, GoldAnswer, GoldQuestion, SampleId};
use jiff_sqlx::Timestamp as SqlTimestamp;
use sqlx::{PgConnection, Row};

/// Marks a sample as a gold question; answers set before are replaced.
///
/// # Errors
/// The database's.
pub async fn set_gold(
    conn: &mut PgConnection,
    account: AccountId,
    sample: SampleId,
    answers: &[(GoldAnswer, bool)],
) -> Result<()> {
    sqlx::query(
        "insert into gold_questions (sample_id, task, created_by) select id, task, $2 from samples where id = $1
         on conflict (sample_id) do update set active = true",
    )
    .bind(sample.0)
    .bind(account.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from gold_answers where sample_id = $1").bind(sample.0).execute(&mut *conn).await?;
    for (answer, pass) in answers {
        sqlx::query(
            "insert into gold_answers (sample_id, criterion, label, pass, reason) values ($1, $2, $3, $4, $5)",
        )
        .bind(sample.0)
        .bind(&answer.criterion)
        .bind(&answer.label)
        .bind(pass)
        .bind(&answer.reason)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Serves a gold question no longer; `false` if it is none.
///
/// # Errors
/// The database's.
pub async fn retire_gold(conn: &mut PgConnection, sample: SampleId) -> Result<bool> {
    let done = sqlx::query("update gold_questions set active = false where sample_id = $1")
        .bind(sample.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What leads decided on a sample last, as right answers; criteria found ambiguous have none.
///
/// # Errors
/// The database's.
pub async fn adjudicated(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<GoldAnswer>> {
    let rows = sqlx::query(
        "select * from (
            select distinct on (criterion) criterion, label, coalesce(nullif(trim(left(note, 2000)), ''), reason) reason
            from adjudications where sample_id = $1 order by criterion, seq desc) last
         where label is not null",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(gold_answer).collect()
}

fn gold_answer(row: &sqlx::postgres::PgRow) -> Result<GoldAnswer> {
    Ok(GoldAnswer {
        criterion: row.try_get("criterion")?,
        label: row.try_get("label")?,
        reason: row.try_get("reason")?,
    })
}

/// Gold questions, newest first: of a task, of a sample, or all.
///
/// # Errors
/// The database's.
pub async fn gold_questions(
    conn: &mut PgConnection,
    task: Option<&str>,
    sample: Option<SampleId>,
    limit: i64,
) -> Result<Vec<GoldQuestion>> {
    let rows = sqlx::query(
        "select g.sample_id, g.task, g.active, g.created_at, s.text, s.half = 'audit' and s.open_slots > 0 waiting,
                k.n, k.correct
         from gold_questions g join samples s on s.id = g.sample_id
         cross join lateral (
            select count(*) n, count(*) filter (where l.pass = r.pass) correct
            from gold_answers r join labels l on l.sample_id = r.sample_id and l.criterion = r.criterion
                and l.phase = 'blind' and l.stream = 'gold'
            where r.sample_id = g.sample_id) k
         where ($1::text is null or g.task = $1) and ($2::uuid is null or g.sample_id = $2)
         order by g.created_at desc, g.sample_id limit $3",
    )
    .bind(task)
    .bind(sample.map(|id| id.0))
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut questions = Vec::with_capacity(rows.len());
    for row in &rows {
        let sample = SampleId(row.try_get("sample_id")?);
        let answers = sqlx::query(
            "select criterion, label, reason from gold_answers where sample_id = $1 order by criterion",
        )
        .bind(sample.0)
        .fetch_all(&mut *conn)
        .await?;
        questions.push(GoldQuestion {
            sample,
            task: row.try_get("task")?,
            text: row.try_get("text")?,
            active: row.try_get("active")?,
            waiting: row.try_get("waiting")?,
            answers: answers.iter().map(gold_answer).collect::<Result<_>>()?,
            n: row.try_get("n")?,
            correct: row.try_get("correct")?,
            created_at: row.try_get::<SqlTimestamp, _>("created_at")?.to_jiff(),
        });
    }
    Ok(questions)
}

/// A person's counts on gold questions and repeats.
#[derive(Debug, Clone)]
pub struct RecordRow {
    /// Who.
    pub account: AccountId,
    /// E-mail address.
    pub email: String,
    /// Answers to gold questions, and right ones among them.
    pub gold: (i64, i64),
    /// Repeated answers, and those the same as before among them.
    pub repeated: (i64, i64),
}

/// The counts of everybody who has labelled; or of one person until yesterday, so that no single answer tells them
/// what it was asked for.
///
/// # Errors
/// The database's.
pub async fn records(conn: &mut PgConnection, account: Option<AccountId>) -> Result<Vec<RecordRow>> {
    let rows = sqlx::query(
        "select c.id, c.email, coalesce(g.n, 0) gold, coalesce(g.correct, 0) correct,
                coalesce(r.n, 0) repeated, coalesce(r.same, 0) same
         from accounts c
         left join lateral (
            select count(*) n, count(*) filter (where l.pass = a.pass) correct
            from labels l join gold_answers a on a.sample_id = l.sample_id and a.criterion = l.criterion
            where l.rater = c.id::text and l.stream = 'gold' and l.phase = 'blind' and l.origin = 'concord'
              and ($1::uuid is null or l.at < date_trunc('day', now() at time zone 'utc') at time zone 'utc')) g on true
         left join lateral (
            select count(*) n, count(*) filter (where l.pass = f.pass) same
            from labels l join labels f on f.sample_id = l.sample_id and f.criterion = l.criterion and f.rater = l.rater
                and f.phase = 'blind' and f.stream in ('audit', 'learning')
            where l.rater = c.id::text and l.stream = 'repeat' and l.phase = 'blind'
              and ($1::uuid is null or l.at < date_trunc('day', now() at time zone 'utc') at time zone 'utc')) r on true
         where case when $1::uuid is null then exists (select 1 from assignments a where a.account_id = c.id and a.state = 'submitted')
                    else c.id = $1 end
         order by c.email",
    )
    .bind(account.map(|id| id.0))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RecordRow {
                account: AccountId(row.try_get("id")?),
                email: row.try_get("email")?,
                gold: (row.try_get("gold")?, row.try_get("correct")?),
                repeated: (row.try_get("repeated")?, row.try_get("same")?),
            })
        })
        .collect()
}
