//! Single decisions of the audit half: a judge's verdict beside the people's reference.

use crate::Result;
use concord_domain::{DECISIONS_A_PAGE, Decision, DecisionFilter, SampleId};
use sqlx::{PgConnection, Row};

/// A labelled verdict, as certificates, calibration and the reliability diagram read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// The unit of sampling.
    pub cluster: i64,
    /// Probability of pass; `None` where the judge gave none.
    pub p_pass: Option<f64>,
    /// Judge's answer.
    pub judge: bool,
    /// People's answer; `None`: tied or ambiguous.
    pub human: Option<bool>,
    /// Inclusion probability.
    pub pi: f64,
    /// Some of it was labelled elsewhere.
    pub imported: bool,
}

/// A decision as drift monitors read it: the first blind label of an audited sample beside its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logged {
    /// Probability of pass; `None` where the judge gave none.
    pub p_pass: Option<f64>,
    /// Judge's answer.
    pub judge: bool,
    /// The first label.
    pub pass: bool,
    /// Its number in the log.
    pub seq: i64,
}

/// How sure a judge is of the verdict it gave; one that gave no probability is taken at its word.
#[must_use]
pub fn confidence(judge: bool, p_pass: Option<f64>) -> f64 {
    p_pass.map_or(1.0, |p| if judge { p } else { 1.0 - p })
}

/// Which verdicts: one criterion, or whole samples where it is `all`.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// Task.
    pub task: &'a str,
    /// Criterion or `all`.
    pub criterion: &'a str,
    /// Judge.
    pub judge: &'a str,
    /// Major rubric version.
    pub major: i32,
}

/// One row a decision; for whole samples the least sure criterion speaks, and the last one labelled gives the
/// order. A verdict of another major version than its reference is not compared. `$5` is empty for one
/// criterion, else every criterion of the task.
const LABELLED: &str = "
    with one as (
        select s.id, s.cluster_hash, v.p_pass, v.pass judge, r.pass human, r.pi, r.imported, r.first_tx, r.first_seq
        from audit_references r
        join samples s on s.id = r.sample_id
        join verdicts v on v.sample_id = r.sample_id and v.criterion = r.criterion and v.judge = $3
        where s.task = $1 and r.major = $4 and v.pass is not null
          and (r.criterion = $2 or r.criterion = any($5))
          and r.sample_id in (select sample_id from audit_references where first_tx >= $6 and first_tx < $7)
          and coalesce(substring(v.rubric_version from '^\\D*(\\d{1,6})')::int, r.major) = r.major)
    select min(cluster_hash) cluster_hash, min(p_pass) p_pass, bool_and(judge) judge,
           case when count(human) = count(*) then bool_and(human) end human,
           min(pi) pi, bool_or(imported) imported
    from one group by id having count(*) = greatest(1, cardinality($5))
       and max(first_tx) >= $6 and max(first_tx) < $7 order by max(first_tx), max(first_seq)";

/// The labelled verdicts whose first label was written by transactions from one on and before another, in the
/// order of the log.
///
/// # Errors
/// The database's.
pub async fn labelled(conn: &mut PgConnection, of: Of<'_>, from: i64, before: i64) -> Result<Vec<Labelled>> {
    let all = if of.criterion == "all" { criteria(conn, of.task).await? } else { Vec::new() };
    let rows = sqlx::query(LABELLED)
        .bind(of.task)
        .bind(of.criterion)
        .bind(of.judge)
        .bind(of.major)
        .bind(all)
        .bind(from)
        .bind(before)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Labelled {
                cluster: row.try_get("cluster_hash")?,
                p_pass: row.try_get("p_pass")?,
                judge: row.try_get("judge")?,
                human: row.try_get("human")?,
                pi: row.try_get("pi")?,
                imported: row.try_get("imported")?,
            })
        })
        .collect()
}

/// Straight from labels and verdicts. A decision's place is the later of its label and its verdict; for whole
/// samples the last criterion's.
const LOG: &str = "
    with hit as (
        select l.sample_id from labels l
        where l.task = $1 and l.phase = 'blind' and l.stream = 'audit' and l.tx >= $6::bigint::text::xid8 and l.tx < $7::bigint::text::xid8
        union
        select v.sample_id from verdicts v join samples s on s.id = v.sample_id
        where v.tx >= $6::bigint::text::xid8 and v.tx < $7::bigint::text::xid8 and s.task = $1 and v.judge = $3),
    first as (
        select distinct on (l.sample_id, l.criterion) l.sample_id, l.criterion, l.tx, l.seq, l.pass
        from hit join samples s on s.id = hit.sample_id join labels l on l.sample_id = s.id
        where s.half = 'audit' and s.task = $1 and l.phase = 'blind' and l.stream = 'audit'
          and (l.criterion = $2 or l.criterion = any($5))
          and coalesce(substring(l.rubric_version from '^\\D*(\\d{1,6})')::int, 0) = $4
        order by l.sample_id, l.criterion, l.tx, l.seq),
    one as (
        select f.sample_id, v.p_pass, v.pass judge, f.pass, f.seq, greatest(f.tx, v.tx)::text::bigint place
        from first f join verdicts v on v.sample_id = f.sample_id and v.criterion = f.criterion and v.judge = $3
        where v.pass is not null and coalesce(substring(v.rubric_version from '^\\D*(\\d{1,6})')::int, $4) = $4)
    select min(p_pass) p_pass, bool_and(judge) judge, bool_and(pass) pass, max(seq) seq
    from one group by sample_id having count(*) = greatest(1, cardinality($5))
       and max(place) >= $6 and max(place) < $7 order by max(place), max(seq), sample_id";

/// The decisions of the log from one transaction on and before another, in its order. The same range always gives
/// the same decisions.
///
/// # Errors
/// The database's.
pub async fn log(conn: &mut PgConnection, of: Of<'_>, from: i64, before: i64) -> Result<Vec<Logged>> {
    let all = if of.criterion == "all" { criteria(conn, of.task).await? } else { Vec::new() };
    let rows = sqlx::query(LOG)
        .bind(of.task)
        .bind(of.criterion)
        .bind(of.judge)
        .bind(of.major)
        .bind(all)
        .bind(from)
        .bind(before)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Logged {
                p_pass: row.try_get("p_pass")?,
                judge: row.try_get("judge")?,
                pass: row.try_get("pass")?,
                seq: row.try_get("seq")?,
            })
        })
        .collect()
}

/// Whether the log has anything for monitors from one transaction on and before another.
///
/// # Errors
/// The database's.
pub async fn has_news(conn: &mut PgConnection, from: i64, before: i64) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from labels where phase = 'blind' and stream = 'audit'
                        and tx >= $1::bigint::text::xid8 and tx < $2::bigint::text::xid8)
             or exists (select from verdicts where tx >= $1::bigint::text::xid8 and tx < $2::bigint::text::xid8)",
    )
    .bind(from)
    .bind(before)
    .fetch_one(conn)
    .await?)
}

async fn criteria(conn: &mut PgConnection, task: &str) -> Result<Vec<String>> {
    let names: Option<Vec<String>> = sqlx::query_scalar(
        "select array(select c ->> 'name' from jsonb_array_elements(body -> 'criteria') c)
         from rubrics where current and task = $1",
    )
    .bind(task)
    .fetch_optional(conn)
    .await?;
    Ok(names.unwrap_or_default())
}

/// How sure the judge is of its verdicts of one class on samples that nobody of the audit has labelled.
///
/// # Errors
/// The database's.
pub async fn unlabelled_confidences(conn: &mut PgConnection, of: Of<'_>, pass: bool) -> Result<Vec<f64>> {
    let all = if of.criterion == "all" { criteria(conn, of.task).await? } else { Vec::new() };
    Ok(sqlx::query_scalar(
        "with one as (
            select v.sample_id, min(v.p_pass) p, bool_and(v.pass) pass, count(*) n
            from verdicts v join samples s on s.id = v.sample_id
            where s.task = $1 and v.judge = $3 and v.pass is not null and (v.criterion = $2 or v.criterion = any($4))
              and not exists (select from audit_references r where r.sample_id = v.sample_id)
            group by v.sample_id)
         select coalesce(case when pass then p else 1 - p end, 1)::float8 from one
         where pass = $5 and n = greatest(1, cardinality($4)) order by 1",
    )
    .bind(of.task)
    .bind(of.criterion)
    .bind(of.judge)
    .bind(all)
    .bind(pass)
    .fetch_all(conn)
    .await?)
}

/// Whether any reference of these verdicts was labelled elsewhere.
///
/// # Errors
/// The database's.
pub async fn any_imported(conn: &mut PgConnection, of: Of<'_>) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from audit_references r join samples s on s.id = r.sample_id
         where s.task = $1 and (r.criterion = $2 or $2 = 'all') and r.major = $3 and r.imported)",
    )
    .bind(of.task)
    .bind(of.criterion)
    .bind(of.major)
    .fetch_one(conn)
    .await?)
}

/// The oldest transaction still running: below it nothing is ever added to the log.
///
/// # Errors
/// The database's.
pub async fn settled(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select concord_log_horizon()::text::bigint").fetch_one(conn).await?)
}

/// The decisions behind the cells of a card, as the card counts them. For whole samples (`$6`: every criterion of the
/// task) the least sure criterion speaks, and the votes are the criteria that people pass and fail.
const PAGE: &str = "
    with one as (
        select r.sample_id, r.criterion, r.pass human, r.votes, v.pass judge, v.p_pass, v.id verdict
        from audit_references r
        join samples s on s.id = r.sample_id
        join verdicts v on v.sample_id = r.sample_id and v.criterion = r.criterion and v.judge = $3
        where s.task = $1 and r.major = $4 and v.pass is not null
          and ($2 = '' or r.criterion = $2 or r.criterion = any($6))
          and coalesce(substring(v.rubric_version from '^\\D*(\\d{1,6})')::int, r.major) = r.major),
    decided as (
        select * from one where cardinality($6) = 0 and human is not null
        union all
        select sample_id, $2, bool_and(human), array_agg(human), bool_and(judge), min(p_pass), null
        from one where cardinality($6) > 0 group by sample_id
        having count(*) = cardinality($6) and count(human) = count(*))
    select s.id, s.text, s.key, s.lang, d.criterion, d.human, d.votes, d.judge, d.p_pass, said.text rationale
    from decided d join samples s on s.id = d.sample_id left join rationales said on said.verdict_id = d.verdict
    where case $5 when 'tp' then d.judge and d.human when 'fp' then d.judge and not d.human
                  when 'fn' then not d.judge and d.human when 'tn' then not d.judge and not d.human
                  else d.judge <> d.human end
    order by abs(coalesce(d.p_pass, 0.5) - 0.5) desc, s.id, d.criterion limit $7 offset $8";

/// A page of decisions of a major version, the surest verdicts first.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut PgConnection, filter: &DecisionFilter, major: i32) -> Result<Vec<Decision>> {
    let all = if filter.criterion == "all" { criteria(conn, &filter.task).await? } else { Vec::new() };
    let rows = sqlx::query(PAGE)
        .bind(&filter.task)
        .bind(&filter.criterion)
        .bind(&filter.judge)
        .bind(major)
        .bind(&filter.cell)
        .bind(all)
        .bind(i64::from(DECISIONS_A_PAGE) + 1)
        .bind(i64::from(filter.skip))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let votes: Vec<bool> = row.try_get("votes")?;
            let pass = votes.iter().filter(|vote| **vote).count();
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            Ok(Decision {
                sample: SampleId(row.try_get("id")?),
                text: row.try_get("text")?,
                key: row.try_get("key")?,
                lang: row.try_get("lang")?,
                criterion: row.try_get("criterion")?,
                human: row.try_get("human")?,
                votes: (count(pass), count(votes.len() - pass)),
                judge: row.try_get("judge")?,
                p_pass: row.try_get("p_pass")?,
                rationale: row.try_get("rationale")?,
            })
        })
        .collect()
}

/// A slice's counts: by what, which, tp, fp, fn, tn.
pub type SliceRow = (String, String, [i64; 4]);

/// The cells of a judge by language, generator, category and rater; the 20 largest of each.
///
/// # Errors
/// The database's.
pub async fn slices(conn: &mut PgConnection, of: Of<'_>) -> Result<Vec<SliceRow>> {
    let rows = sqlx::query(
        "with cell as (
            select s.lang, coalesce(g.model || ' ' || g.prompts, s.generator, 'imported') generator, i.category[1] category, r.raters, r.votes,
                   v.pass judge, r.pass human
            from audit_references r
            join samples s on s.id = r.sample_id
            join verdicts v on v.sample_id = r.sample_id and v.criterion = r.criterion and v.judge = $3
            left join generations g on g.id = s.generation_id
            left join items i on i.id = s.item_id
            where s.task = $1 and ($2 = '*' or r.criterion = $2) and r.major = $4 and r.pass is not null and v.pass is not null),
         sliced as (
            select 'lang' kind, lang value, judge, human from cell
            union all select 'generator', generator, judge, human from cell
            union all select 'category', category, judge, human from cell where category is not null
            union all select 'rater', coalesce(a.email, u.rater), judge, u.vote from cell
                cross join lateral unnest(raters, votes) u (rater, vote) left join accounts a on a.id::text = u.rater),
         counted as (
            select kind, value, count(*) filter (where judge and human) tp, count(*) filter (where judge and not human) fp,
                   count(*) filter (where not judge and human) fn, count(*) filter (where not judge and not human) tn,
                   row_number() over (partition by kind order by count(*) desc, value) place
            from sliced group by kind, value)
         select kind, value, tp, fp, fn, tn from counted where place <= 20 order by kind, place",
    )
    .bind(of.task)
    .bind(of.criterion)
    .bind(of.judge)
    .bind(of.major)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let cells = [row.try_get("tp")?, row.try_get("fp")?, row.try_get("fn")?, row.try_get("tn")?];
            Ok((row.try_get("kind")?, row.try_get("value")?, cells))
        })
        .collect()
}

/// Two judges on the same labelled decisions: criterion, judges, and how often both, only the first, only the
/// second and neither is right.
pub type PairRow = (String, String, String, [i64; 4]);

/// Every two judges of a task, by criterion.
///
/// # Errors
/// The database's.
pub async fn pairs(conn: &mut PgConnection, task: &str) -> Result<Vec<PairRow>> {
    let rows = sqlx::query(
        "select r.criterion, a.judge a, b.judge b,
                count(*) filter (where a.pass = r.pass and b.pass = r.pass) both_right,
                count(*) filter (where a.pass = r.pass and b.pass <> r.pass) only_a,
                count(*) filter (where a.pass <> r.pass and b.pass = r.pass) only_b,
                count(*) filter (where a.pass <> r.pass and b.pass <> r.pass) neither
         from audit_references r
         join samples s on s.id = r.sample_id
         join verdicts a on a.sample_id = r.sample_id and a.criterion = r.criterion and a.pass is not null
         join verdicts b on b.sample_id = r.sample_id and b.criterion = r.criterion and b.pass is not null and b.judge > a.judge
         where s.task = $1 and r.pass is not null
         group by r.criterion, a.judge, b.judge order by 1, 2, 3",
    )
    .bind(task)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let counts = [
                row.try_get("both_right")?,
                row.try_get("only_a")?,
                row.try_get("only_b")?,
                row.try_get("neither")?,
            ];
            Ok((row.try_get("criterion")?, row.try_get("a")?, row.try_get("b")?, counts))
        })
        .collect()
}
