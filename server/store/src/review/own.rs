//! A person's own work: pace, and the last samples with what became of them.

use crate::Result;
use concord_domain::{AccountId, AssignmentId, DayPace, OwnSample, SampleId};
use jiff_sqlx::{Date, Timestamp as SqlTimestamp};
use sqlx::{PgConnection, Row};

/// Days with work, newest first: samples answered for the first time and the median of their seconds.
///
/// # Errors
/// The database's.
pub async fn pace(conn: &mut PgConnection, account: AccountId, days: i32) -> Result<Vec<DayPace>> {
    let rows = sqlx::query(
        "select (a.submitted_at at time zone 'utc')::date d, count(*) n, count(u.seconds) timed,
                percentile_cont(0.5) within group (order by u.seconds) median
         from assignments a
         cross join lateral (select u.seconds from submissions u where u.assignment_id = a.id order by u.created_at limit 1) u
         where a.account_id = $1 and a.state = 'submitted' and a.submitted_at >= now() - make_interval(days => $2)
         group by 1 order by 1 desc",
    )
    .bind(account.0)
    .bind(days)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DayPace {
                day: row.try_get::<Date, _>("d")?.to_jiff(),
                samples: row.try_get("n")?,
                timed: row.try_get("timed")?,
                median_seconds: row.try_get("median")?,
            })
        })
        .collect()
}

/// The last samples, surplus answers among them, newest first.
///
/// # Errors
/// The database's.
pub async fn own_samples(conn: &mut PgConnection, account: AccountId, limit: i64) -> Result<Vec<OwnSample>> {
    let rows = sqlx::query(
        "select w.*, s.task, s.text from (
            (select a.id, a.sample_id, a.submitted_at at, false surplus,
                    (select u.seconds from submissions u where u.assignment_id = a.id order by u.created_at limit 1) seconds
             from assignments a where a.account_id = $1 and a.state = 'submitted' order by a.submitted_at desc limit $2)
            union all
            (select a.id, a.sample_id, x.at, true, x.seconds from surplus_answers x join assignments a on a.id = x.assignment_id
             where x.account_id = $1 and a.state <> 'submitted' order by x.at desc limit $2)) w
         join samples s on s.id = w.sample_id order by w.at desc, w.id limit $2",
    )
    .bind(account.0)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(OwnSample {
                assignment: AssignmentId(row.try_get("id")?),
                sample: SampleId(row.try_get("sample_id")?),
                task: row.try_get("task")?,
                text: row.try_get("text")?,
                at: row.try_get::<SqlTimestamp, _>("at")?.to_jiff(),
                seconds: row.try_get("seconds")?,
                surplus: row.try_get("surplus")?,
            })
        })
        .collect()
}
