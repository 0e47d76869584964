//! What seeing a verdict does to people: counts, for leads.

use crate::Result;
use sqlx::{PgConnection, Row};

/// Counts of one judge and task. A decision is one answer of one person on one criterion.
#[derive(Debug, Clone)]
pub struct AnchoringRow {
    /// Task.
    pub task: String,
    /// Judge.
    pub judge: String,
    /// Blind answers that differ from the verdict shown afterwards, and those of them revised to it.
    pub differing: (i64, i64),
    /// Blind answers that agree with the verdict shown afterwards, and those of them revised away from it.
    pub agreeing: (i64, i64),
    /// Assisted answers, and those that agree with the verdict.
    pub assisted: (i64, i64),
    /// Blind answers of the same draw, and those that agree with the verdict.
    pub blind: (i64, i64),
}

/// Every judge and task. Only labels given here count, and of those under a draw only the first answer.
///
/// # Errors
/// The database's.
pub async fn anchoring(conn: &mut PgConnection) -> Result<Vec<AnchoringRow>> {
    let rows = sqlx::query(
        "with said as (
            select l.*, a.id assignment, a.assist_pi, a.revealed_at
            from labels l join submissions u on u.id = l.submission_id join assignments a on a.id = u.assignment_id
            where l.stream in ('audit', 'learning')),
         first as (
            select distinct on (assignment, criterion) * from said order by assignment, criterion, seq),
         last as (
            select distinct on (assignment, criterion) assignment, criterion, pass from said
            where phase = 'revised' order by assignment, criterion, seq desc),
         pairs as (
            select f.task, v.judge, f.assisted, f.assist_pi, f.pass = v.pass agrees, r.pass = v.pass agrees_after,
                   v.created_at <= f.revealed_at shown
            from first f join verdicts v on v.sample_id = f.sample_id and v.criterion = f.criterion and v.pass is not null
            left join last r on r.assignment = f.assignment and r.criterion = f.criterion)
         select task, judge,
                count(*) filter (where not assisted and shown and agrees_after is not null and not agrees) differing,
                count(*) filter (where not assisted and shown and agrees_after and not agrees) towards,
                count(*) filter (where not assisted and shown and agrees_after is not null and agrees) agreeing,
                count(*) filter (where not assisted and shown and not agrees_after and agrees) away,
                count(*) filter (where assisted) assisted, count(*) filter (where assisted and agrees) assisted_agree,
                count(*) filter (where not assisted and assist_pi is not null) blind,
                count(*) filter (where not assisted and assist_pi is not null and agrees) blind_agree
         from pairs group by task, judge order by task, judge",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let pair = |n: &str, k: &str| Ok::<_, sqlx::Error>((row.try_get(n)?, row.try_get(k)?));
            Ok(AnchoringRow {
                task: row.try_get("task")?,
                judge: row.try_get("judge")?,
                differing: pair("differing", "towards")?,
                agreeing: pair("agreeing", "away")?,
                assisted: pair("assisted", "assisted_agree")?,
                blind: pair("blind", "blind_agree")?,
            })
        })
        .collect()
}
