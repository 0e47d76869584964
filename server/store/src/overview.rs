//! Counts for the home page.

use crate::Result;
use sqlx::{PgConnection, Row};

/// Users, items and behaviours. Behaviours are the planner's estimate once there are many: an exact
/// count reads the whole table.
///
/// # Errors
/// The database's.
pub async fn logs(conn: &mut PgConnection) -> Result<(i64, i64, i64)> {
    let row = sqlx::query(
        "select (select count(*) from users) users, (select count(*) from items) items,
                case when c.reltuples > 1000000 then c.reltuples::bigint else (select count(*) from behaviours) end behaviours
         from pg_class c where c.oid = 'behaviours'::regclass",
    )
    .fetch_one(conn)
    .await?;
    Ok((row.try_get("users")?, row.try_get("items")?, row.try_get("behaviours")?))
}

/// Counts of a task.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// Task.
    pub task: String,
    /// Samples.
    pub samples: i64,
    /// Judged.
    pub judged: i64,
    /// With all their labels in.
    pub labelled: i64,
    /// Criterion decisions of the audit half with a verdict and an untied blind majority.
    pub compared: i64,
    /// Of these, the judge agrees.
    pub agreed: i64,
}

/// Counts of every task.
///
/// # Errors
/// The database's.
pub async fn tasks(conn: &mut PgConnection) -> Result<Vec<TaskRow>> {
    let rows = sqlx::query(
        "with counts as (
            select task, count(*) samples, count(*) filter (where judged) judged,
                   count(*) filter (where overlap > 0 and open_slots = 0
                        and not exists (select 1 from assignments a where a.sample_id = s.id and a.state = 'leased')) labelled
            from samples s group by task),
         majority as (
            select sample_id, criterion, count(*) filter (where pass) yes, count(*) n
            from blind_votes group by sample_id, criterion),
         compared as (
            select s.task, count(*) compared, count(*) filter (where v.pass = (m.yes * 2 > m.n)) agreed
            from majority m join samples s on s.id = m.sample_id and s.half = 'audit'
            join verdicts v on v.sample_id = m.sample_id and v.criterion = m.criterion and v.status = 'ok'
            where m.yes * 2 <> m.n
              and not exists (select from superseded_judges o where o.task = s.task and o.judge = v.judge) group by s.task)
         select p.task, coalesce(c.samples, 0) samples, coalesce(c.judged, 0) judged, coalesce(c.labelled, 0) labelled,
                coalesce(k.compared, 0) compared, coalesce(k.agreed, 0) agreed
         from programmes p left join counts c using (task) left join compared k using (task)
         order by array_position(array['interest', 'tag', 'explanation'], p.task), p.task",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TaskRow {
                task: row.try_get("task")?,
                samples: row.try_get("samples")?,
                judged: row.try_get("judged")?,
                labelled: row.try_get("labelled")?,
                compared: row.try_get("compared")?,
                agreed: row.try_get("agreed")?,
            })
        })
        .collect()
}
