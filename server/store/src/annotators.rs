//! What is known of each person who labels: counts, shared votes, seconds, and answers after the reveal.

use crate::Result;
use sqlx::{PgConnection, Row};

/// A person's counts.
#[derive(Debug, Clone)]
pub struct CountRow {
    /// Account id as text, or the name an import gave.
    pub rater: String,
    /// E-mail address, else that name.
    pub name: String,
    /// Blind answers.
    pub labels: i64,
    /// Samples answered blind.
    pub samples: i64,
}

/// Everybody who has answered blind.
///
/// # Errors
/// The database's.
pub async fn counts(conn: &mut PgConnection) -> Result<Vec<CountRow>> {
    let rows = sqlx::query(
        "select l.rater, coalesce(a.email, l.rater) as name, l.n, l.samples
         from (select rater, count(*) n, count(distinct sample_id) samples from labels
               where phase = 'blind' and stream in ('audit', 'learning') group by rater) l
         left join accounts a on a.id::text = l.rater order by name",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CountRow {
                rater: row.try_get("rater")?,
                name: row.try_get("name")?,
                labels: row.try_get("n")?,
                samples: row.try_get("samples")?,
            })
        })
        .collect()
}

/// Votes of several people on one sample and criterion.
#[derive(Debug, Clone)]
pub struct SharedVotes {
    /// Task.
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Who, in the order of `votes`.
    pub raters: Vec<String>,
    /// Whether they pass it.
    pub votes: Vec<bool>,
}

/// The newest samples and criteria that several people answered blind, by task and criterion.
///
/// # Errors
/// The database's.
pub async fn shared_votes(conn: &mut PgConnection, limit: i64) -> Result<Vec<SharedVotes>> {
    let rows = sqlx::query(
        "with newest as (select sample_id, criterion, raters, votes, first_seq from cases
                         where cardinality(raters) > 1 order by first_seq desc limit $1)
         select s.task, n.criterion, n.raters, n.votes from newest n join samples s on s.id = n.sample_id
         order by s.task, n.criterion, n.first_seq",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SharedVotes {
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                raters: row.try_get("raters")?,
                votes: row.try_get("votes")?,
            })
        })
        .collect()
}

/// Seconds of each person's newest blind submissions, shortest first.
///
/// # Errors
/// The database's.
pub async fn seconds(conn: &mut PgConnection, each: i64) -> Result<Vec<(String, Vec<f64>)>> {
    Ok(sqlx::query_as(
        "select account_id::text, array_agg(seconds order by seconds)
         from (select a.account_id, b.seconds, row_number() over (partition by a.account_id order by b.created_at desc) place
               from submissions b join assignments a on a.id = b.assignment_id
               where b.phase = 'blind' and b.seconds is not null) s
         where place <= $1 group by account_id",
    )
    .bind(each)
    .fetch_all(conn)
    .await?)
}

/// Of each person: last answers after the reveal whose blind answer differed from all judges, and those among
/// them that took the judges' side.
///
/// # Errors
/// The database's.
pub async fn after_reveal(conn: &mut PgConnection) -> Result<Vec<(String, i64, i64)>> {
    Ok(sqlx::query_as(
        "with revised as (
            select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, pass from labels
            where phase = 'revised' and not assisted and stream <> 'repeat'
            order by sample_id, criterion, rater, seq desc),
         blind as (
            select distinct on (sample_id, criterion, rater) sample_id, criterion, rater, pass from labels
            where phase = 'blind' and stream <> 'repeat' order by sample_id, criterion, rater, seq)
         select r.rater, count(*), count(*) filter (where r.pass = v.pass)
         from revised r join blind b using (sample_id, criterion, rater)
         join lateral (select bool_and(w.pass) pass from verdicts w
                       where w.sample_id = r.sample_id and w.criterion = r.criterion and w.pass is not null
                       having bool_and(w.pass) = bool_or(w.pass)) v on true
         where b.pass <> v.pass group by r.rater",
    )
    .fetch_all(conn)
    .await?)
}
