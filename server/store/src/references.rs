//! What people say of a sample on a criterion, folded from labels and adjudications and kept beside them.

use crate::Result;
use crate::audit::{SampleRow, Words};
use concord_domain::SampleId;
use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Where the references of a half are kept, and the stream whose labels they are of.
struct Kept {
    table: &'static str,
    half: &'static str,
    stream: &'static str,
}

const KEPT: [Kept; 2] = [
    Kept { table: "audit_references", half: "audit", stream: "audit" },
    Kept { table: "learning_references", half: "train", stream: "learning" },
];

const COLUMNS: &str = "sample_id, criterion, major, rubric_version, raters, votes, adjudicated, pass, pi, imported, first_tx, first_seq, first_pass";

/// Brings the references of these samples up to date with their labels and adjudications: those of the audit
/// half, which the audit counts, and those of the train half, which only leads look at.
///
/// # Errors
/// The database's.
pub async fn refresh(conn: &mut PgConnection, samples: &[Uuid]) -> Result<()> {
    for Kept { table, half, stream } in KEPT {
        sqlx::query(sqlx::AssertSqlSafe(format!("delete from {table} where sample_id = any($1)")))
            .bind(samples)
            .execute(&mut *conn)
            .await?;
        // The key of samples is read for the half alone.
        let of_half = "unnest($1) one (id) join samples s on s.id = one.id and s.half = $3";
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "insert into {table} ({COLUMNS}) {}",
            references_of(of_half)
        )))
        .bind(samples)
        .bind(stream)
        .bind(half)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// What labels of stream `$2` and adjudications say of the samples `one (id)` that `from` names; `$1` are their ids or
/// more.
///
/// The major version is the first number of a version, whatever an importer calls it. Labels of another major
/// version than the newest on a sample and criterion are not pooled with it.
fn references_of(from: &str) -> String {
    REFERENCES.replace("{from}", from)
}

const REFERENCES: &str = "
    with said as (
        select l.sample_id, l.criterion, l.rater, l.pass, l.tx::text::bigint tx, l.seq, l.pi, l.origin, l.rubric_version
        from {from} join labels l on l.sample_id = one.id
        where l.phase = 'blind' and l.stream = $2),
    versions as (
        select rubric_version, coalesce(substring(rubric_version from '^\\D*(\\d{1,6})')::int, 0) major
        from said group by rubric_version),
    votes as (
        select distinct on (sample_id, criterion, rater) * from said join versions using (rubric_version)
        order by sample_id, criterion, rater, major desc, tx, seq),
    held as (
        select distinct on (sample_id, criterion) sample_id, criterion, outcome
        from adjudications where sample_id = any($1) order by sample_id, criterion, seq desc),
    placed as (
        select *, first_value(major) over newest_first newest, row_number() over newest_first place from votes
        window newest_first as (partition by sample_id, criterion order by major desc, tx, seq)),
    counted as (
        select sample_id, criterion, min(major) major, max(rubric_version) rubric_version,
               array_agg(rater order by rater) raters, array_agg(pass order by rater) votes,
               2 * count(*) filter (where pass) - count(*) lead, min(pi) filter (where place = 1) pi,
               bool_or(origin = 'imported') imported, min(tx) first_tx,
               min(seq) filter (where place = 1) first_seq, bool_or(pass) filter (where place = 1) first_pass
        from placed where major = newest group by sample_id, criterion)
    select c.sample_id, c.criterion, c.major, c.rubric_version, c.raters, c.votes, h.outcome adjudicated,
           case when h.outcome is not null then nullif(h.outcome, 'ambiguous') = 'pass'
                when c.lead > 0 then true when c.lead < 0 then false end pass,
           c.pi, c.imported, c.first_tx, c.first_seq, c.first_pass
    from counted c left join held h using (sample_id, criterion)";

/// What people say of a sample on a criterion.
#[derive(Debug, Clone)]
pub struct ReferenceRow {
    /// The unit of sampling.
    pub cluster: i64,
    /// Sample.
    pub sample: SampleId,
    /// Task.
    pub task: Arc<str>,
    /// Criterion.
    pub criterion: Arc<str>,
    /// Major rubric version.
    pub major: i32,
    /// Newest version within it.
    pub rubric_version: Arc<str>,
    /// Who, in the order of `votes`.
    pub raters: Vec<String>,
    /// Whether they pass it.
    pub votes: Vec<bool>,
    /// A lead's decision.
    pub adjudicated: Option<String>,
    /// The reference; `None` where tied or ambiguous.
    pub pass: Option<bool>,
    /// Inclusion probability.
    pub pi: f64,
    /// Some of it was labelled elsewhere.
    pub imported: bool,
}

/// What [`reference`] reads, in its order.
const READ: [&str; 10] = [
    "sample_id",
    "criterion",
    "major",
    "rubric_version",
    "raters",
    "votes",
    "adjudicated",
    "pass",
    "pi",
    "imported",
];

/// [`READ`] of the table or query of this name.
fn read_of(name: &str) -> String {
    READ.map(|column| format!("{name}.{column}")).join(", ")
}

/// The references of these samples, as they are kept.
///
/// # Errors
/// The database's.
pub async fn kept(conn: &mut PgConnection, samples: &[SampleRow]) -> Result<Vec<ReferenceRow>> {
    let known: HashMap<Uuid, &SampleRow> = samples.iter().map(|it| (it.sample, it)).collect();
    let ids: Vec<Uuid> = samples.iter().map(|it| it.sample).collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select {} from unnest($1) one (id) join audit_references r on r.sample_id = one.id",
        read_of("r")
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut words = Words::default();
    rows.iter().map(|row| reference(row, known[&row.try_get::<Uuid, _>(0)?], &mut words)).collect()
}

/// The references of the audit half's samples among these, as their labels and adjudications say now, and the samples
/// of either half whose kept references say something else.
///
/// # Errors
/// The database's.
pub async fn anew(conn: &mut PgConnection, samples: &[SampleRow]) -> Result<(Vec<ReferenceRow>, Vec<Uuid>)> {
    let known: HashMap<Uuid, &SampleRow> = samples.iter().map(|it| (it.sample, it)).collect();
    let (mut found, mut changed, mut words) = (Vec::new(), Vec::new(), Words::default());
    for Kept { table, half, stream } in KEPT {
        let of_half: Vec<Uuid> =
            samples.iter().filter(|it| it.audit == (half == "audit")).map(|it| it.sample).collect();
        if of_half.is_empty() {
            continue;
        }
        // What is kept without a label behind it comes as a row that says nothing. Rows are looked up one by one: for
        // thousands of samples the planner would rather read whole tables, each time.
        let sql = format!(
            "with kept as (select k.* from unnest($1) one (id) join {table} k on k.sample_id = one.id)
             select {}, coalesce(f.sample_id, r.sample_id),
                    (r.major, r.rubric_version, r.raters, r.votes, r.adjudicated, r.pass, r.pi, r.imported, r.first_tx, r.first_seq, r.first_pass)
                    is distinct from
                    (f.major, f.rubric_version, f.raters, f.votes, f.adjudicated, f.pass, f.pi, f.imported, f.first_tx, f.first_seq, f.first_pass),
                    f.sample_id is not null
             from ({}) f full join kept r on r.sample_id = f.sample_id and r.criterion = f.criterion",
            read_of("f"),
            references_of("unnest($1) one (id)")
        );
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(of_half).bind(stream).fetch(&mut *conn);
        let beside = READ.len();
        while let Some(row) = rows.try_next().await? {
            let (sample, said): (Uuid, bool) = (row.try_get(beside)?, row.try_get(beside + 2)?);
            if !said || row.try_get(beside + 1)? {
                changed.push(sample);
            }
            if said && half == "audit" {
                found.push(reference(&row, known[&sample], &mut words)?);
            }
        }
    }
    Ok((found, changed))
}

/// By place: the audit reads millions of them.
fn reference(row: &PgRow, of: &SampleRow, words: &mut Words) -> Result<ReferenceRow> {
    Ok(ReferenceRow {
        cluster: of.cluster,
        sample: SampleId(of.sample),
        task: Arc::clone(&of.task),
        criterion: words.of(row.try_get(1)?),
        major: row.try_get(2)?,
        rubric_version: words.of(row.try_get(3)?),
        raters: row.try_get(4)?,
        votes: row.try_get(5)?,
        adjudicated: row.try_get(6)?,
        pass: row.try_get(7)?,
        pi: row.try_get(8)?,
        imported: row.try_get(9)?,
    })
}
