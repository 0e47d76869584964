//! What people say of a sample on a criterion, folded from labels and adjudications and kept beside them.

use crate::Result;
use crate::audit::SampleRow;
use concord_domain::SampleId;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
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
        sqlx::query(sqlx::AssertSqlSafe(format!("insert into {table} ({COLUMNS}) {REFERENCES}")))
            .bind(samples)
            .bind(half)
            .bind(stream)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The major version is the first number of a version, whatever an importer calls it. Labels of another major
/// version than the newest on a sample and criterion are not pooled with it.
const REFERENCES: &str = "
    with said as (
        select l.sample_id, l.criterion, l.rater, l.pass, l.tx::text::bigint tx, l.seq, l.pi, l.origin, l.rubric_version,
               coalesce(substring(l.rubric_version from '^\\D*(\\d{1,6})')::int, 0) major
        from unnest($1) one (id) join samples s on s.id = one.id join labels l on l.sample_id = s.id
        where s.half = $2 and l.phase = 'blind' and l.stream = $3),
    votes as (
        select distinct on (sample_id, criterion, rater) * from said
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
    pub task: String,
    /// Criterion.
    pub criterion: String,
    /// Major rubric version.
    pub major: i32,
    /// Newest version within it.
    pub rubric_version: String,
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

/// The references of these samples, as they are kept.
///
/// # Errors
/// The database's.
pub async fn kept(conn: &mut PgConnection, samples: &[SampleRow]) -> Result<Vec<ReferenceRow>> {
    let known: HashMap<Uuid, &SampleRow> = samples.iter().map(|it| (it.sample, it)).collect();
    let ids: Vec<Uuid> = samples.iter().map(|it| it.sample).collect();
    let rows =
        sqlx::query("select r.* from unnest($1) one (id) join audit_references r on r.sample_id = one.id")
            .bind(ids)
            .fetch_all(conn)
            .await?;
    rows.iter().map(|row| reference(row, known[&row.try_get::<Uuid, _>("sample_id")?])).collect()
}

/// The references of the audit half's samples among these, as their labels and adjudications say now, and the samples
/// of either half whose kept references say something else.
///
/// # Errors
/// The database's.
pub async fn anew(conn: &mut PgConnection, samples: &[SampleRow]) -> Result<(Vec<ReferenceRow>, Vec<Uuid>)> {
    let known: HashMap<Uuid, &SampleRow> = samples.iter().map(|it| (it.sample, it)).collect();
    let (mut found, mut changed) = (Vec::new(), Vec::new());
    for Kept { table, half, stream } in KEPT {
        let of_half: Vec<Uuid> =
            samples.iter().filter(|it| it.audit == (half == "audit")).map(|it| it.sample).collect();
        if of_half.is_empty() {
            continue;
        }
        // What is kept without a label behind it comes as a row that says nothing. Rows are looked up one by one: for
        // thousands of samples the planner would rather read whole tables, each time.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "with kept as (select k.* from unnest($1) one (id) join {table} k on k.sample_id = one.id)
             select f.*, coalesce(f.sample_id, r.sample_id) sample,
                    (r.major, r.rubric_version, r.raters, r.votes, r.adjudicated, r.pass, r.pi, r.imported, r.first_tx, r.first_seq, r.first_pass)
                    is distinct from
                    (f.major, f.rubric_version, f.raters, f.votes, f.adjudicated, f.pass, f.pi, f.imported, f.first_tx, f.first_seq, f.first_pass) differs,
                    f.sample_id is not null said
             from ({REFERENCES}) f full join kept r on r.sample_id = f.sample_id and r.criterion = f.criterion"
        )))
        .bind(of_half)
        .bind(half)
        .bind(stream)
        .fetch_all(&mut *conn)
        .await?;
        for row in &rows {
            let (sample, said): (Uuid, bool) = (row.try_get("sample")?, row.try_get("said")?);
            if !said || row.try_get("differs")? {
                changed.push(sample);
            }
            if said && half == "audit" {
                found.push(reference(row, known[&sample])?);
            }
        }
    }
    Ok((found, changed))
}

fn reference(row: &PgRow, of: &SampleRow) -> Result<ReferenceRow> {
    Ok(ReferenceRow {
        cluster: of.cluster,
        sample: SampleId(of.sample),
        task: of.task.clone(),
        criterion: row.try_get("criterion")?,
        major: row.try_get("major")?,
        rubric_version: row.try_get("rubric_version")?,
        raters: row.try_get("raters")?,
        votes: row.try_get("votes")?,
        adjudicated: row.try_get("adjudicated")?,
        pass: row.try_get("pass")?,
        pi: row.try_get("pi")?,
        imported: row.try_get("imported")?,
    })
}
