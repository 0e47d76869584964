//! The order of the learning stream: what can be learnt most from comes first. Computed when a sample of the
//! train half is opened for review, and again when another judge has looked at it.
//!
//! Verdicts are read sample by sample, on purpose: joined as tables, a plan made before their first statistics reads
//! the whole list for each sample of it.

use crate::Result;
use sqlx::PgConnection;
use uuid::Uuid;

/// Counts what judges say of samples that are opened just now, and their texts. Once a sample.
///
/// # Errors
/// The database's.
pub async fn opened(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
    // In the order of the key, so that two that open at once never wait for each other in a ring.
    sqlx::query(
        "insert into verdict_tallies (task, criterion, passes, fails)
         select s.task, c.criterion, sum(c.passes)::bigint, sum(c.fails)::bigint
         from samples s cross join lateral (
            select v.criterion, count(*) filter (where v.pass) passes, count(*) filter (where not v.pass) fails
            from verdicts v where v.sample_id = s.id and v.pass is not null group by 1) c
         where s.id = any($1) and s.half = 'train' group by 1, 2 order by 1, 2
         on conflict (task, criterion) do update
            set passes = verdict_tallies.passes + excluded.passes, fails = verdict_tallies.fails + excluded.fails",
    )
    .bind(samples)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into text_tallies (task, text_hash, n)
         select task, hashtextextended(lower(text), 0), count(*) from samples
         where id = any($1) and half = 'train' group by 1, 2 order by 1, 2
         on conflict (task, text_hash) do update set n = text_tallies.n + excluded.n",
    )
    .bind(samples)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ranks open samples of the train half, lowest first: 1 − (0.4 uncertain + 0.3 disputed + 0.2 minority + 0.1 novel),
/// each from 0 to 1, the highest among the criteria.
///
/// - uncertain: 1 − 2 |p − ½| of the judge nearest to one half; a verdict that could not be read is as uncertain
///   as one half;
/// - disputed: 1 where judges differ, else the spread of their probabilities;
/// - minority: how rare that verdict is on that criterion among the samples opened so far;
/// - novel: 1 / how often the same text was opened.
///
/// A sample that nobody judged counts as half uncertain. Samples that a third person is asked for stay in front.
///
/// # Errors
/// The database's.
pub async fn rank(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
    sqlx::query(RANK).bind(samples).execute(conn).await?;
    Ok(())
}

const RANK: &str = "
    with ranked as (
        select s.id, 1 - (0.4 * coalesce(c.uncertain, 0.5) + 0.3 * coalesce(c.disputed, 0) + 0.2 * coalesce(c.minority, 0.5)
                          + 0.1 / greatest(1, coalesce(x.n, 1))) place
        from samples s
        cross join lateral (
            select max(1 - 2 * k.from_half) uncertain,
                   max(case when k.passed and k.failed then 1 else coalesce(k.spread, 0) end) disputed,
                   max(case when k.passed and k.failed then 0.5
                            when k.passed then (t.fails + 1.0) / (t.passes + t.fails + 2)
                            when k.failed then (t.passes + 1.0) / (t.passes + t.fails + 2) else 0.5 end) minority
            from (
                select v.criterion, max(v.p_pass) - min(v.p_pass) spread, bool_or(v.pass) passed, not bool_and(v.pass) failed,
                       min(case when v.pass is null then 0 when v.p_pass is null then 0.5 else abs(v.p_pass - 0.5) end) from_half
                from verdicts v where v.sample_id = s.id group by v.criterion) k
            left join verdict_tallies t on t.task = s.task and t.criterion = k.criterion) c
        left join text_tallies x on x.task = s.task and x.text_hash = hashtextextended(lower(s.text), 0)
        where s.id = any($1) and s.half = 'train' and s.overlap > 0 and not s.extended)
    update samples s set learning_rank = r.place from ranked r where r.id = s.id and s.learning_rank is distinct from r.place";
