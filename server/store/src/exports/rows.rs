//! Reading the rows of an export, a batch of lines at a time, and what stands behind all of them.

use crate::Result;
use concord_domain::{ExportId, ExportedRow, GenerationId, SampleId, SampleLineage};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A call of the generator, as it was run.
#[derive(Debug)]
pub struct Call {
    /// Its id.
    pub id: Uuid,
    /// Instructions.
    pub system: String,
    /// Data.
    pub prompt: String,
    /// Output.
    pub output: String,
    /// Version of the prompt.
    pub prompt_version: String,
    /// The generator.
    pub model: String,
    /// Its weights.
    pub model_hash: String,
}

/// A sample in a row of an export, with the call it came from.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The row's number.
    pub line: i64,
    /// 0, or 1 for what a pair rejects.
    pub place: i16,
    /// In the part that is kept apart.
    pub held_out: bool,
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Language.
    pub lang: String,
    /// Criterion, of rows for judges.
    pub criterion: Option<String>,
    /// Whether it passes.
    pub pass: bool,
    /// What decided.
    pub evidence: String,
    /// People whose answers count.
    pub people: i32,
    /// Grade, of rankings.
    pub grade: Option<String>,
    /// The call; samples of one share it.
    pub call: Arc<Call>,
    /// Place of the sample in the output.
    pub ordinal: i32,
    /// Version of the rubric.
    pub rubric_version: String,
    /// The run.
    pub generation: GenerationId,
    /// Certificates under which a verdict stood alone.
    pub certificates: Vec<Uuid>,
}

/// The rows after line `after`, at most so many lines, in order. Each brings its own sample: rows that this transaction
/// has only just written are not counted yet, and a plan made for few of them, or for all, reads every sample a batch.
///
/// # Errors
/// The database's.
pub async fn batch(conn: &mut PgConnection, id: ExportId, after: i64, lines: i64) -> Result<Vec<Taken>> {
    let rows = sqlx::query(
        "select x.line, x.place, x.held_out, x.criterion, x.pass, x.evidence, x.people, x.grade, s.*,
                case when x.evidence = 'auto' then array(
                    select l.certificate_id from acceptance_certificates l join certificates k on k.id = l.certificate_id
                    where l.sample_id = x.sample_id and k.status = 'live' order by 1) else '{}' end certificates
         from export_rows x cross join lateral (
            select s.id, s.task, s.lang, s.ordinal, s.rubric_version, s.generation_id, s.call_id
            from samples s where s.id = x.sample_id limit 1) s
         where x.export_id = $1 and x.line > $2 and x.line <= $2 + $3 order by x.line, x.place",
    )
    .bind(id.0)
    .bind(after)
    .bind(lines)
    .fetch_all(&mut *conn)
    .await?;
    let calls = calls(conn, &rows).await?;
    rows.iter().map(|row| taken(row, &calls)).collect()
}

/// The calls of a batch, each once: one has some ten samples, and a kilobyte or more of prompt.
async fn calls(conn: &mut PgConnection, rows: &[PgRow]) -> Result<HashMap<Uuid, Arc<Call>>> {
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.try_get("call_id")).collect::<sqlx::Result<_>>()?;
    ids.sort_unstable();
    ids.dedup();
    let rows = sqlx::query(
        "select c.id, c.system, c.prompt, c.output, c.prompt_version, g.model, g.model_hash
         from unnest($1::uuid[]) i cross join lateral (select * from calls c where c.id = i limit 1) c
         join generations g on g.id = c.generation_id",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let call = Call {
                id: row.try_get("id")?,
                system: row.try_get("system")?,
                prompt: row.try_get("prompt")?,
                output: row.try_get("output")?,
                prompt_version: row.try_get("prompt_version")?,
                model: row.try_get("model")?,
                model_hash: row.try_get("model_hash")?,
            };
            Ok((call.id, Arc::new(call)))
        })
        .collect()
}

fn taken(row: &PgRow, calls: &HashMap<Uuid, Arc<Call>>) -> Result<Taken> {
    let call: Uuid = row.try_get("call_id")?;
    let call = calls.get(&call).cloned().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Taken {
        line: row.try_get("line")?,
        place: row.try_get("place")?,
        held_out: row.try_get("held_out")?,
        sample: SampleId(row.try_get("id")?),
        task: row.try_get("task")?,
        lang: row.try_get("lang")?,
        criterion: row.try_get("criterion")?,
        pass: row.try_get("pass")?,
        evidence: row.try_get::<Option<_>, _>("evidence")?.unwrap_or_default(),
        people: row.try_get("people")?,
        grade: row.try_get("grade")?,
        call,
        ordinal: row.try_get("ordinal")?,
        rubric_version: row.try_get("rubric_version")?,
        generation: GenerationId(row.try_get("generation_id")?),
        certificates: row.try_get("certificates")?,
    })
}

/// What a judge, or else a person, wrote of samples whose label is the one given: sample, criterion, pass, and the
/// words. One a sample, criterion and side: the judge's of the standing verdict, else the last comment.
///
/// # Errors
/// The database's.
pub async fn rationales(
    conn: &mut PgConnection,
    samples: &[SampleId],
) -> Result<Vec<(SampleId, String, bool, String)>> {
    let ids: Vec<Uuid> = samples.iter().map(|id| id.0).collect();
    let rows: Vec<(Uuid, String, bool, String)> = sqlx::query_as(
        "select distinct on (sample_id, criterion, pass) sample_id, criterion, pass, words from (
            select v.sample_id, v.criterion, v.pass, r.text words, 0 rank, v.created_at at
            from standing_verdicts v join rationales r on r.verdict_id = v.id
            where v.sample_id = any($1) and v.pass is not null
            union all
            select a.sample_id, a.criterion, a.outcome = 'pass', a.note, 1, a.at from adjudications a
            where a.sample_id = any($1) and a.note <> '' and a.outcome <> 'ambiguous') said
         order by sample_id, criterion, pass, rank desc, at desc",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, criterion, pass, words)| (SampleId(id), criterion, pass, words)).collect())
}

/// Judges whose verdicts the exported samples have.
///
/// # Errors
/// The database's.
pub async fn judges(conn: &mut PgConnection, id: ExportId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select j.name from judges j where exists (
            select from verdicts v join export_rows x on x.sample_id = v.sample_id
            where x.export_id = $1 and v.judge = j.name) order by 1",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?)
}

/// A certificate under which rows of an export stand.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportCertificate {
    /// Its id.
    pub id: Uuid,
    /// Task.
    pub task: String,
    /// Criterion, or `all`.
    pub criterion: String,
    /// The judge.
    pub judge: String,
    /// `pass` or `fail`.
    pub verdict: String,
    /// Allowed disagreement.
    pub eps: f64,
    /// Allowed probability of being wrong.
    pub delta: f64,
    /// Probability from which on it accepts.
    pub threshold: f64,
    /// Labels it was read from.
    pub n: i64,
    /// Disagreements among them.
    pub errors: i64,
    /// Upper bound of the disagreement.
    pub ucb: f64,
    /// Rows.
    pub rows: i64,
}

/// The live certificates behind rows of an export.
///
/// # Errors
/// The database's.
pub async fn certificates(conn: &mut PgConnection, id: ExportId) -> Result<Vec<ExportCertificate>> {
    let rows = sqlx::query(
        "select c.id, a.task, a.criterion, a.judge, a.verdict, a.eps, a.delta, c.threshold, c.n, c.errors, c.ucb, count(*) rows
         from export_rows x join acceptance_certificates l on l.sample_id = x.sample_id
         join certificates c on c.id = l.certificate_id and c.status = 'live'
         join certificate_attempts a on a.id = c.id
         where x.export_id = $1 and x.evidence = 'auto' group by c.id, a.id order by a.task, a.criterion, a.verdict, c.id",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ExportCertificate {
                id: row.try_get("id")?,
                task: row.try_get("task")?,
                criterion: row.try_get("criterion")?,
                judge: row.try_get("judge")?,
                verdict: row.try_get("verdict")?,
                eps: row.try_get("eps")?,
                delta: row.try_get("delta")?,
                threshold: row.try_get("threshold")?,
                n: row.try_get("n")?,
                errors: row.try_get("errors")?,
                ucb: row.try_get("ucb")?,
                rows: row.try_get("rows")?,
            })
        })
        .collect()
}

/// Where a sample comes from and what it went into; `None` if there is no such sample.
///
/// # Errors
/// The database's.
pub async fn lineage(conn: &mut PgConnection, sample: SampleId) -> Result<Option<SampleLineage>> {
    let row = sqlx::query(
        "select s.generation_id, s.call_id,
                array(select id from labels l where l.sample_id = s.id order by seq) labels,
                array(select id from verdicts v where v.sample_id = s.id order by created_at, id) verdicts
         from samples s where s.id = $1",
    )
    .bind(sample.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SampleLineage {
        sample,
        generation: row.try_get::<Option<Uuid>, _>("generation_id")?.map(GenerationId),
        call: row.try_get("call_id")?,
        labels: row.try_get("labels")?,
        verdicts: row.try_get("verdicts")?,
        exports: exported(conn, sample).await?,
        models: learnt(conn, sample).await?,
    }))
}

/// Models that learnt from an export with this sample, and those that go on from one, oldest first.
async fn learnt(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar(
        "with recursive learnt as (
            select m.id, m.created_at from models m
            where m.export_id in (select export_id from export_rows where sample_id = $1)
            union
            select m.id, m.created_at from models m join learnt l on l.id = m.parent_id)
         select id from learnt order by created_at, id",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?)
}

/// The rows of finished exports that hold a sample, newest export first.
///
/// # Errors
/// The database's.
pub async fn exported(conn: &mut PgConnection, sample: SampleId) -> Result<Vec<ExportedRow>> {
    let rows = sqlx::query(
        "select x.export_id, x.line, x.criterion, x.pass, x.evidence, x.held_out
         from export_rows x join exports e on e.id = x.export_id
         where x.sample_id = $1 and e.finished_at is not null order by e.created_at desc, x.line limit 1000",
    )
    .bind(sample.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ExportedRow {
                export: ExportId(row.try_get("export_id")?),
                row: row.try_get("line")?,
                criterion: row.try_get("criterion")?,
                pass: row.try_get("pass")?,
                evidence: row.try_get("evidence")?,
                held_out: row.try_get("held_out")?,
            })
        })
        .collect()
}
