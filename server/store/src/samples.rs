//! Samples: written once with the stage that made them, read blind or, by leads, with everything.

use crate::{Result, StoreError};
use concord_domain::{
    AccountId, ChainLink, GenerationId, History, PersonLabel, Phase, Sample, SampleFilter, SampleId,
    SampleRow, SampleRowLead, SampleUser,
};
use jiff_sqlx::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// What `samples.body` holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// The generator's reason.
    pub reason: Option<String>,
    /// `long_term` or `current`.
    pub stage: Option<String>,
    /// What it rests on.
    pub chain: Vec<ChainLink>,
    /// History lines it cites.
    pub evidence: Vec<u32>,
    /// Context of an imported sample.
    pub context: Vec<(String, String)>,
    /// Behaviours behind the cited lines that exist, by row id.
    pub behaviours: Vec<i64>,
    /// What code found wrong with the evidence of an interest.
    pub marks: Vec<String>,
    /// The preset interest that it is; `None` where it extends the pool.
    pub preset: Option<String>,
    /// A tag's category by φ.
    pub category: Option<String>,
}

/// A generated sample to be stored.
#[derive(Debug, Clone)]
pub struct NewSample<'a> {
    /// Its id.
    pub id: SampleId,
    /// Task.
    pub task: &'a str,
    /// Text.
    pub text: &'a str,
    /// Language.
    pub lang: &'a str,
    /// The rest.
    pub body: &'a Body,
    /// The user.
    pub user: i64,
    /// The item of an explanation.
    pub item: Option<i64>,
    /// The run.
    pub generation: GenerationId,
    /// The call that wrote it.
    pub call: Uuid,
    /// Place in the call's output.
    pub ordinal: i32,
    /// The sample it rests on.
    pub parent: Option<SampleId>,
    /// Rubric version it will be reviewed by.
    pub rubric_version: &'a str,
}

/// Stores a generated sample; its half is its user's.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewSample<'_>) -> Result<()> {
    sqlx::query(
        "insert into samples (id, key, task, text, lang, body, half, user_id, item_id, generation_id, call_id, ordinal,
                              parent_id, rubric_version, serve_order)
         select $1, $1::text, $2, $3, $4, $5, u.half, $6, $7, $8, $9, $10, $11, $12, hashtext($8::text || ':' || $6::text)
         from users u where u.id = $6",
    )
    .bind(new.id.0)
    .bind(new.task)
    .bind(new.text)
    .bind(new.lang)
    .bind(Json(new.body))
    .bind(new.user)
    .bind(new.item)
    .bind(new.generation.0)
    .bind(new.call)
    .bind(new.ordinal)
    .bind(new.parent.map(|id| id.0))
    .bind(new.rubric_version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Samples of a user in a run: id, task and text, in the order of the chain.
///
/// # Errors
/// The database's.
pub async fn of_user(
    conn: &mut PgConnection,
    generation: GenerationId,
    user: i64,
    task: &str,
) -> Result<Vec<(SampleId, String, Option<SampleId>)>> {
    let rows = sqlx::query(
        "select id, text, parent_id from samples where generation_id = $1 and user_id = $2 and task = $3 order by id",
    )
    .bind(generation.0)
    .bind(user)
    .bind(task)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let parent: Option<Uuid> = row.try_get("parent_id")?;
            Ok((SampleId(row.try_get("id")?), row.try_get("text")?, parent.map(SampleId)))
        })
        .collect()
}

/// Samples of a user in a run with what their body holds, in the order of the chain.
///
/// # Errors
/// The database's.
pub async fn bodies_of_user(
    conn: &mut PgConnection,
    generation: GenerationId,
    user: i64,
    task: &str,
) -> Result<Vec<(SampleId, String, Body)>> {
    let rows: Vec<(Uuid, String, Json<Body>)> = sqlx::query_as(
        "select id, text, body from samples where generation_id = $1 and user_id = $2 and task = $3 order by id",
    )
    .bind(generation.0)
    .bind(user)
    .bind(task)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, text, body)| (SampleId(id), text, body.0)).collect())
}

/// Samples of a user in a run that no judge has seen yet, in the order of the chain.
///
/// # Errors
/// The database's.
pub async fn unjudged(conn: &mut PgConnection, generation: GenerationId, user: i64) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from samples where generation_id = $1 and user_id = $2 and not judged order by id",
    )
    .bind(generation.0)
    .bind(user)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SampleId).collect())
}

/// Opens a sample for review if it is not open yet: with its task's overlap, unless a certificate accepts it or the
/// audit's draw passes it over. Gives it its place in the learning order.
///
/// # Errors
/// The database's.
pub async fn open_for_review(conn: &mut PgConnection, id: SampleId) -> Result<()> {
    crate::acceptance::open(conn, &[id]).await?;
    crate::learning::rank(conn, &[id.0]).await
}

/// The task of a sample.
///
/// # Errors
/// The database's.
pub async fn task_of(conn: &mut PgConnection, id: SampleId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("select task from samples where id = $1").bind(id.0).fetch_optional(conn).await?)
}

/// Samples with everything a person needs to judge them, in the order of `ids`; never a verdict.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut PgConnection, ids: &[SampleId]) -> Result<Vec<Loaded>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query(
        "select s.id, s.key, s.task, s.text, s.lang, s.body, s.rubric_version,
                u.key as user_key, u.profile, gu.history
         from unnest($1::uuid[]) with ordinality wanted (id, place) join samples s on s.id = wanted.id
         left join users u on u.id = s.user_id
         left join generation_users gu on gu.generation_id = s.generation_id and gu.user_id = s.user_id
         order by wanted.place",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(loaded).collect()
}

/// A sample with what the use cases need beside it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As anyone may see it.
    pub sample: Sample,
    /// Version of its rubric.
    pub rubric_version: String,
}

fn loaded(row: &sqlx::postgres::PgRow) -> Result<Loaded> {
    let body: Json<Body> = row.try_get("body")?;
    let Body { reason, stage, chain, evidence, context, .. } = body.0;
    let user_key: Option<String> = row.try_get("user_key")?;
    let profile: Option<Json<Vec<(String, String)>>> = row.try_get("profile")?;
    let history: Option<Json<History>> = row.try_get("history")?;
    Ok(Loaded {
        sample: Sample {
            id: SampleId(row.try_get("id")?),
            key: row.try_get("key")?,
            task: row.try_get("task")?,
            text: row.try_get("text")?,
            lang: row.try_get("lang")?,
            reason,
            stage,
            chain,
            evidence,
            user: user_key.map(|key| SampleUser { key, profile: profile.map(|p| p.0).unwrap_or_default() }),
            history: history.map(|h| h.0).unwrap_or_default(),
            context,
        },
        rubric_version: row.try_get("rubric_version")?,
    })
}

/// A page of the list, newest first. `lead` says whether verdicts and others' labels are read at all.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut PgConnection,
    viewer: AccountId,
    lead: bool,
    filter: &SampleFilter,
    limit: i64,
) -> Result<Vec<SampleRow>> {
    let rows = sqlx::query(LIST)
        .bind(viewer.0.to_string())
        .bind(&filter.task)
        .bind(filter.text.as_deref().map(like))
        .bind(&filter.user)
        .bind(&filter.lang)
        .bind(filter.half.as_ref().filter(|_| lead))
        .bind(&filter.state)
        .bind(filter.after.map(|id| id.0))
        .bind(limit)
        .bind(lead)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| sample_row(row, lead)).collect()
}

/// The laterals of verdicts and of other people's labels run for leads only (`$10`), and so do the
/// filters on them: an annotator's filter can tell nothing of a verdict.
const LIST: &str = "
    select s.id, s.task, s.text, s.lang, s.half, s.generation_id, s.created_at, u.key as user_key,
           mine.labelled, people.n as people, people.pass as people_pass, judge.pass as judge_pass, judge.p_min
    from samples s
    left join users u on u.id = s.user_id
    cross join lateral (select exists (select 1 from labels l where l.sample_id = s.id and l.rater = $1) labelled) mine
    left join lateral (
        select max(n)::int n, case when count(*) = 0 then null when bool_or(yes * 2 < n) then false
                                   when bool_or(yes * 2 = n) then null else true end pass
        from (select count(*) n, count(*) filter (where v.pass) yes
              from blind_votes v where v.sample_id = s.id group by v.criterion) c) people on $10
    left join lateral (
        select bool_and(v.pass) pass, min(v.p_pass) p_min from standing_verdicts v where v.sample_id = s.id) judge on $10
    where ($2::text is null or s.task = $2)
      and ($3::text is null or s.text ilike $3)
      and ($4::text is null or u.key = $4)
      and ($5::text is null or s.lang = $5)
      and ($6::text is null or s.half = $6)
      and ($7::text is distinct from 'mine' or mine.labelled)
      and (not $10 or case $7 when 'unlabelled' then coalesce(people.n, 0) = 0
                              when 'agree' then people.pass = judge.pass
                              when 'disagree' then people.pass <> judge.pass
                              else true end)
      and ($8::uuid is null or s.id < $8)
    order by s.id desc limit $9";

fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

fn sample_row(row: &sqlx::postgres::PgRow, lead: bool) -> Result<SampleRow> {
    let generation: Option<Uuid> = row.try_get("generation_id")?;
    Ok(SampleRow {
        id: SampleId(row.try_get("id")?),
        task: row.try_get("task")?,
        text: row.try_get("text")?,
        lang: row.try_get("lang")?,
        user: row.try_get("user_key")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        labelled_by_me: row.try_get("labelled")?,
        lead: if lead {
            Some(SampleRowLead {
                half: row.try_get("half")?,
                generation: generation.map(GenerationId),
                people: row.try_get::<Option<i32>, _>("people")?.unwrap_or(0),
                people_pass: row.try_get("people_pass")?,
                judge_pass: row.try_get("judge_pass")?,
                judge_p_min: row.try_get("p_min")?,
            })
        } else {
            None
        },
    })
}

/// Everybody's labels on a sample, oldest first.
///
/// # Errors
/// The database's.
pub async fn labels(conn: &mut PgConnection, id: SampleId) -> Result<Vec<PersonLabel>> {
    let rows = sqlx::query(
        "select coalesce(a.email, l.rater) as rater, l.criterion, l.label, l.pass, l.phase, l.at
         from labels l left join accounts a on a.id::text = l.rater where l.sample_id = $1 order by l.seq",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PersonLabel {
                rater: row.try_get("rater")?,
                criterion: row.try_get("criterion")?,
                label: row.try_get("label")?,
                pass: row.try_get("pass")?,
                phase: phase(row.try_get::<String, _>("phase")?.as_str())?,
                at: row.try_get::<Timestamp, _>("at")?.to_jiff(),
            })
        })
        .collect()
}

/// The phase of that word.
///
/// # Errors
/// [`StoreError::Inconsistent`] if it is none.
pub fn phase(word: &str) -> Result<Phase> {
    match word {
        "blind" => Ok(Phase::Blind),
        "revised" => Ok(Phase::Revised),
        other => Err(StoreError::Inconsistent { table: "labels", column: "phase", why: other.to_owned() }),
    }
}

/// How a sample was made: name and value, for leads.
///
/// # Errors
/// The database's.
pub async fn provenance(conn: &mut PgConnection, id: SampleId) -> Result<Vec<(String, String)>> {
    let row = sqlx::query(
        "select g.model, g.model_hash, c.prompt_version, c.seed, c.prompt_tokens, c.output_tokens, c.millis, s.half,
                s.generation_id::text as generation, s.body
         from samples s join calls c on c.id = s.call_id join generations g on g.id = s.generation_id where s.id = $1",
    )
    .bind(id.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let Json(body) = row.try_get::<Json<Body>, _>("body")?;
    let mut facts: Vec<(String, String)> = vec![
        ("model".into(), row.try_get("model")?),
        ("weights".into(), row.try_get("model_hash")?),
        ("prompt".into(), row.try_get("prompt_version")?),
        ("seed".into(), row.try_get::<i64, _>("seed")?.to_string()),
        ("prompt_tokens".into(), row.try_get::<i32, _>("prompt_tokens")?.to_string()),
        ("output_tokens".into(), row.try_get::<i32, _>("output_tokens")?.to_string()),
        ("millis".into(), row.try_get::<i64, _>("millis")?.to_string()),
        ("half".into(), row.try_get("half")?),
        ("generation".into(), row.try_get("generation")?),
    ];
    facts.extend(body.preset.map(|preset| ("preset".into(), preset)));
    facts.extend(body.category.map(|category| ("category".into(), category)));
    facts.extend((!body.marks.is_empty()).then(|| ("marks".into(), body.marks.join(", "))));
    facts.extend((!body.behaviours.is_empty()).then(|| {
        let ids: Vec<String> = body.behaviours.iter().take(50).map(i64::to_string).collect();
        ("behaviours".into(), ids.join(", "))
    }));
    Ok(facts)
}

/// Users of runs with samples that no judge has seen.
///
/// # Errors
/// The database's.
pub async fn with_unjudged(conn: &mut PgConnection) -> Result<Vec<(GenerationId, i64)>> {
    let pairs: Vec<(Uuid, i64)> = sqlx::query_as(
        "select distinct generation_id, user_id from samples
         where not judged and generation_id is not null and user_id is not null order by 1, 2",
    )
    .fetch_all(conn)
    .await?;
    Ok(pairs.into_iter().map(|(generation, user)| (GenerationId(generation), user)).collect())
}

/// Samples judged so far.
///
/// # Errors
/// The database's.
pub async fn judged(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from samples where judged").fetch_one(conn).await?)
}

/// Generated samples with text that no judge has seen, at most so many.
///
/// # Errors
/// The database's.
pub async fn unseen(conn: &mut PgConnection, limit: i64) -> Result<Vec<SampleId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from samples where not judged and origin = 'generated' and text <> '' order by generation_id, user_id, id limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SampleId).collect())
}
