//! Cases: samples and criteria as people and judges answered, filtered, sorted, page by page.

use crate::Result;
use concord_domain::{Actor, Case, CaseFilter, Outcome, SampleId};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

/// A place in a sorted list: two keys of the order, then sample and criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// First key.
    pub first: f64,
    /// Second key.
    pub second: f64,
    /// Sample.
    pub sample: Uuid,
    /// Criterion.
    pub criterion: String,
}

/// A case with its place in the list.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The case.
    pub case: Case,
    /// Where it stands.
    pub place: Place,
}

/// People gave both answers.
const MIXED: &str = "(true = any(r.votes) and false = any(r.votes))";

/// Somebody sent the sample to a lead, and no lead has ended that.
const ESCALATED: &str =
    "exists (select from escalations e where e.sample_id = r.sample_id and e.outcome is null)";

/// The condition of a state. It stands in the query as text, so that the indexes made for it are used.
fn condition(state: &str) -> String {
    let differs = "(v.pass is not null and v.pass <> r.pass)";
    match state {
        "escalated" => format!("r.adjudicated is null and {ESCALATED}"),
        "tied" => "r.adjudicated is null and r.pass is null and cardinality(r.votes) > 0".into(),
        "disagreeing" => format!("r.adjudicated is null and {MIXED}"),
        "judge_fail_people_pass" => "r.adjudicated is null and r.pass and not v.pass".into(),
        "judge_pass_people_fail" => "r.adjudicated is null and not r.pass and v.pass".into(),
        "adjudicated" => "r.adjudicated is not null".into(),
        "ambiguous" => "r.adjudicated = 'ambiguous'".into(),
        "any" => "true".into(),
        _ => format!("r.adjudicated is null and ({MIXED} or {differs} or {ESCALATED})"),
    }
}

/// The two keys of an order, smallest first.
fn keys(sort: &str) -> (&'static str, &'static str) {
    match sort {
        "confidence" => ("0::float8", "-sure"),
        "newest" => ("0::float8", "-first_seq::float8"),
        _ => ("rank::float8", "-sure"),
    }
}

/// A page of cases, with how many match in all. The verdict shown is the surest that differs from the people's
/// answer, else the surest.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut PgConnection,
    viewer: &Actor,
    filter: &CaseFilter,
    after: Option<&Place>,
    limit: i64,
) -> Result<(Vec<Placed>, u64)> {
    let (first, second) = keys(filter.sort.as_deref().unwrap_or_default());
    let state = condition(filter.state.as_deref().unwrap_or_default());
    let generation =
        if filter.generator.is_some() { "left join generations g on g.id = s.generation_id" } else { "" };
    let generator = if filter.generator.is_some() {
        "coalesce(g.model || ' ' || g.prompts, s.generator, 'imported') = $6"
    } else {
        "$6::text is null"
    };
    let sql = format!(
        "with one as materialized (
            select r.sample_id, r.criterion, r.half, r.pass, r.adjudicated, r.votes, r.first_seq, {MIXED} mixed, {ESCALATED} escalated,
                   v.judge, v.pass verdict, v.p_pass, abs(coalesce(v.p_pass, 0.5) - 0.5) sure,
                   case when r.adjudicated is not null then 5 when {ESCALATED} then 0 when r.pass is null then 1 when {MIXED} then 2
                        when v.pass <> r.pass then 3 else 4 end rank
            from cases r join samples s on s.id = r.sample_id {generation}
            left join lateral (
                select w.judge, w.pass, w.p_pass from verdicts w
                where w.sample_id = r.sample_id and w.criterion = r.criterion and w.pass is not null
                  and ($3::text is null or w.judge = $3)
                order by w.pass is distinct from r.pass desc, abs(coalesce(w.p_pass, 0.5) - 0.5) desc, w.judge
                limit 1) v on true
            where ($1::text is null or s.task = $1) and ($2::text is null or r.criterion = $2)
              and ($3::text is null or v.judge is not null)
              and ($4::text is null or exists (select from items i where i.id = s.item_id and i.category[1] = $4))
              and ($5::text is null or s.lang = $5) and {generator}
              and ($7::text is null or r.raters && (array(select a.id::text from accounts a where a.email = lower($7)) || $7))
              and ($8::text is null or r.half = $8) and {state}),
         page as (
            select *, {first} as first, {second} as second from one
            where ($9::float8 is null or ({first}, {second}, sample_id, criterion) > ($9, $10, $11, $12))
            order by {first}, {second}, sample_id, criterion limit $13)
         select p.*, s.key, s.task, s.text, s.lang, (select count(*) from one) total,
                exists (select from labels l where l.sample_id = p.sample_id and (l.rater = $14 or lower(l.rater) = $15)) own
         from page p join samples s on s.id = p.sample_id order by p.first, p.second, p.sample_id, p.criterion"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(&filter.task)
        .bind(&filter.criterion)
        .bind(&filter.judge)
        .bind(&filter.category)
        .bind(&filter.lang)
        .bind(&filter.generator)
        .bind(&filter.annotator)
        .bind(&filter.half)
        .bind(after.map(|place| place.first))
        .bind(after.map(|place| place.second))
        .bind(after.map(|place| place.sample))
        .bind(after.map(|place| place.criterion.as_str()))
        .bind(limit)
        .bind(viewer.account.0.to_string())
        .bind(viewer.email.to_lowercase())
        .fetch_all(conn)
        .await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>("total"))?;
    let placed = rows.iter().map(placed).collect::<Result<_>>()?;
    Ok((placed, u64::try_from(total).unwrap_or(0)))
}

fn placed(row: &sqlx::postgres::PgRow) -> Result<Placed> {
    let votes: Vec<bool> = row.try_get("votes")?;
    let pass = votes.iter().filter(|vote| **vote).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (sample, criterion): (Uuid, String) = (row.try_get("sample_id")?, row.try_get("criterion")?);
    let place = Place {
        first: row.try_get("first")?,
        second: row.try_get("second")?,
        sample,
        criterion: criterion.clone(),
    };
    let adjudicated = row.try_get::<Option<String>, _>("adjudicated")?.as_deref().and_then(Outcome::parse);
    let (people, verdict): (Option<bool>, Option<bool>) = (row.try_get("pass")?, row.try_get("verdict")?);
    let mixed: bool = row.try_get("mixed")?;
    let escalated: bool = row.try_get("escalated")?;
    let state = match (adjudicated, people, verdict) {
        (Some(Outcome::Ambiguous), ..) => "ambiguous",
        (Some(_), ..) => "adjudicated",
        (None, ..) if escalated => "escalated",
        (None, None, _) => "tied",
        (None, Some(_), _) if mixed => "disagreeing",
        (None, Some(true), Some(false)) => "judge_fail_people_pass",
        (None, Some(false), Some(true)) => "judge_pass_people_fail",
        _ => "agreed",
    };
    let case = Case {
        sample: SampleId(sample),
        key: row.try_get("key")?,
        task: row.try_get("task")?,
        text: row.try_get("text")?,
        lang: row.try_get("lang")?,
        half: row.try_get("half")?,
        criterion,
        votes: (count(pass), count(votes.len() - pass)),
        people,
        adjudicated,
        judge: row.try_get("judge")?,
        verdict,
        p_pass: row.try_get("p_pass")?,
        state: state.to_owned(),
        own: row.try_get("own")?,
    };
    Ok(Placed { case, place })
}
