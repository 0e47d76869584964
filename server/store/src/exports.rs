//! Exports: what a policy takes, and the record of what was taken.

use crate::Result;
use concord_domain::{AccountId, Export, ExportId, ExportPolicy, JobState, SampleId};
use futures::Stream;
use futures::TryStreamExt;
use jiff_sqlx::Timestamp;
use sqlx::{PgConnection, Row};

/// A sample that a policy takes, with the call it came from.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The sample.
    pub sample: SampleId,
    /// Task.
    pub task: String,
    /// Language.
    pub lang: String,
    /// Instructions of the call.
    pub system: String,
    /// Data of the call.
    pub prompt: String,
    /// Output of the call.
    pub output: String,
    /// Place of the sample in the output.
    pub ordinal: i32,
    /// People whose answers count.
    pub people: i64,
    /// Version of the rubric.
    pub rubric_version: String,
    /// The generator.
    pub model: String,
    /// Its weights.
    pub model_hash: String,
    /// The prompt.
    pub prompt_version: String,
    /// Names of the judges of this sample.
    pub judges: Vec<String>,
}

/// Both policies of agreement, on either kind of evidence. Only generated samples of the train half, each
/// with a complete answer on every criterion of its rubric from every person counted.
macro_rules! taken_sql {
    ($head:literal, $votes:literal, $tail:literal) => {
        concat!(
            $head,
            "select s.id, s.task, s.lang, s.ordinal, s.rubric_version, c.system, c.prompt, c.output, c.prompt_version,
                    g.model, g.model_hash, p.people, coalesce(j.judges, '{}') judges
             from samples s
             join calls c on c.id = s.call_id
             join generations g on g.id = s.generation_id
             join rubrics r on r.task = s.task and r.version = s.rubric_version
             join lateral (
                select min(k.raters) people, count(*) criteria, bool_and(k.all_pass) all_pass, bool_and(k.most_pass) most_pass
                from (select criterion, count(*) raters, bool_and(pass) all_pass,
                             count(*) filter (where pass) * 2 > count(*) most_pass
                      from ", $votes, " v where v.sample_id = s.id group by criterion) k) p
                on p.criteria = jsonb_array_length(r.body -> 'criteria')
             left join lateral (
                select array_agg(distinct judge order by judge) judges, bool_and(coalesce(pass, false)) pass
                from standing_verdicts v where v.sample_id = s.id) j on true
             where s.half = 'train' and s.origin = 'generated'
               and (cardinality($1::text[]) = 0 or s.task = any($1))
               and (cardinality($2::text[]) = 0 or s.lang = any($2))
               and p.people >= $3
               and case $4 when 'unanimous' then p.all_pass else p.most_pass end
               and (not $5 or coalesce(j.pass, false)) ",
            $tail
        )
    };
}
const TAKEN_BLIND: &str = taken_sql!("", "blind_votes", "order by s.id");
const TAKEN_FINAL: &str = taken_sql!("", "final_votes", "order by s.id");
const COUNTED_BLIND: &str =
    taken_sql!("select task, count(*) from (", "blind_votes", ") taken group by task");
const COUNTED_FINAL: &str =
    taken_sql!("select task, count(*) from (", "final_votes", ") taken group by task");

/// The samples a policy takes, streamed in a fixed order.
pub fn taken<'c>(
    conn: &'c mut PgConnection,
    policy: &ExportPolicy,
) -> impl Stream<Item = Result<Taken>> + Send + 'c {
    sqlx::query(if policy.evidence == "final" { TAKEN_FINAL } else { TAKEN_BLIND })
        .bind(policy.tasks.clone())
        .bind(policy.languages.clone())
        .bind(i64::from(policy.min_people.max(1)))
        .bind(policy.agreement.clone())
        .bind(policy.require_judge)
        .fetch(conn)
        .map_err(Into::into)
        .and_then(|row| std::future::ready(taken_row(&row)))
}

/// How many samples a policy takes, by task.
///
/// # Errors
/// The database's.
pub async fn counted(conn: &mut PgConnection, policy: &ExportPolicy) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(if policy.evidence == "final" { COUNTED_FINAL } else { COUNTED_BLIND })
        .bind(&policy.tasks)
        .bind(&policy.languages)
        .bind(i64::from(policy.min_people.max(1)))
        .bind(&policy.agreement)
        .bind(policy.require_judge)
        .fetch_all(conn)
        .await?)
}

/// Logs that this person was given an export: they know that people agreed on its samples.
///
/// # Errors
/// The database's.
pub async fn log_views(conn: &mut PgConnection, account: AccountId, id: ExportId) -> Result<()> {
    sqlx::query(
        "insert into verdict_views (account_id, sample_id) select $1, sample_id from export_rows where export_id = $2
         on conflict do nothing",
    )
    .bind(account.0)
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(())
}

fn taken_row(row: &sqlx::postgres::PgRow) -> Result<Taken> {
    Ok(Taken {
        sample: SampleId(row.try_get("id")?),
        task: row.try_get("task")?,
        lang: row.try_get("lang")?,
        system: row.try_get("system")?,
        prompt: row.try_get("prompt")?,
        output: row.try_get("output")?,
        ordinal: row.try_get("ordinal")?,
        people: row.try_get("people")?,
        rubric_version: row.try_get("rubric_version")?,
        model: row.try_get("model")?,
        model_hash: row.try_get("model_hash")?,
        prompt_version: row.try_get("prompt_version")?,
        judges: row.try_get("judges")?,
    })
}

/// Labelled generated samples of the train half, in all.
///
/// # Errors
/// The database's.
pub async fn labelled_train(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from samples s where s.half = 'train' and s.origin = 'generated'
         and exists (select 1 from labels l where l.sample_id = s.id and l.stream in ('audit', 'learning'))",
    )
    .fetch_one(conn)
    .await?)
}

/// Records that an export was asked for.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    id: ExportId,
    policy: &str,
    dir: &str,
    created_by: Option<AccountId>,
) -> Result<()> {
    sqlx::query("insert into exports (id, policy, dir, created_by) values ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(policy)
        .bind(dir)
        .bind(created_by.map(|id| id.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// Records what was written. The foreign key refuses a sample of the audit half.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, id: ExportId, samples: &[SampleId], sha256: &str) -> Result<()> {
    let samples: Vec<uuid::Uuid> = samples.iter().map(|id| id.0).collect();
    sqlx::query("delete from export_rows where export_id = $1").bind(id.0).execute(&mut *conn).await?;
    sqlx::query(
        "insert into export_rows (export_id, line, sample_id)
         select $1, line, sample from unnest($2::uuid[]) with ordinality t (sample, line)",
    )
    .bind(id.0)
    .bind(&samples)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update exports set rows = $2, sha256 = $3, finished_at = now() where id = $1")
        .bind(id.0)
        .bind(i64::try_from(samples.len()).unwrap_or(i64::MAX))
        .bind(sha256)
        .execute(conn)
        .await?;
    Ok(())
}

/// Exports, newest first; only `id` if given. The state is that of the export's job.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<ExportId>, limit: i64) -> Result<Vec<Export>> {
    let rows = sqlx::query(
        "select e.*, j.state, j.message from exports e left join jobs j on j.dedupe_key = 'export:' || e.id::text
         where $1::uuid is null or e.id = $1 order by e.created_at desc limit $2",
    )
    .bind(id.map(|id| id.0))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let finished = row.try_get::<Option<Timestamp>, _>("finished_at")?.is_some();
            let state: Option<String> = row.try_get("state")?;
            let state = match state {
                _ if finished => JobState::Done,
                Some(word) => crate::jobs::state_of(&word),
                None => JobState::Failed,
            };
            Ok(Export {
                id: ExportId(row.try_get("id")?),
                created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
                state,
                rows: row.try_get::<Option<i64>, _>("rows")?.unwrap_or(0),
                error: if state == JobState::Failed { row.try_get("message")? } else { None },
                sha256: row.try_get("sha256")?,
                policy: row.try_get("policy")?,
                path: row.try_get("dir")?,
            })
        })
        .collect()
}
