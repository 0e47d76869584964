//! Generations: the run, its users with what was read of them, and the calls made.

use crate::Result;
use concord_domain::ports::ModelInfo;
use concord_domain::{AccountId, Generation, GenerationId, GenerationRequest, History, TASKS};
use jiff_sqlx::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A run to be stored.
#[derive(Debug, Clone)]
pub struct NewGeneration<'a> {
    /// Its id.
    pub id: GenerationId,
    /// What was asked for.
    pub request: &'a GenerationRequest,
    /// The generator.
    pub model: &'a ModelInfo,
    /// Versions of the prompts.
    pub prompts: &'a str,
    /// Who asked.
    pub created_by: Option<AccountId>,
}

/// Stores a run and its users.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewGeneration<'_>, users: &[i64]) -> Result<()> {
    sqlx::query(
        "insert into generations (id, seed, settings, model, model_hash, model_family, prompts, created_by, priority)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.id.0)
    .bind(new.request.seed.cast_signed())
    .bind(Json(new.request))
    .bind(&new.model.name)
    .bind(&new.model.hash)
    .bind(&new.model.family)
    .bind(new.prompts)
    .bind(new.created_by.map(|id| id.0))
    .bind(new.request.priority)
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into generation_users (generation_id, user_id, history) select $1, unnest($2::bigint[]), '{}'")
        .bind(new.id.0)
        .bind(users)
        .execute(conn)
        .await?;
    Ok(())
}

/// How far a user of a run is.
#[derive(Debug, Clone)]
pub struct UserStage {
    /// `interests`, `tags`, `explanations`, `done` or `failed`.
    pub stage: String,
    /// What was read; empty before the first stage.
    pub history: Option<History>,
    /// What was asked for.
    pub request: GenerationRequest,
}

/// The stage of a user, locked for this transaction.
///
/// # Errors
/// The database's.
pub async fn stage(conn: &mut PgConnection, id: GenerationId, user: i64) -> Result<Option<UserStage>> {
    let row = sqlx::query(
        "select u.stage, u.history, g.settings from generation_users u join generations g on g.id = u.generation_id
         where u.generation_id = $1 and u.user_id = $2 for update of u",
    )
    .bind(id.0)
    .bind(user)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let history: serde_json::Value = row.try_get("history")?;
    Ok(Some(UserStage {
        stage: row.try_get("stage")?,
        history: serde_json::from_value(history).ok(),
        request: row.try_get::<Json<GenerationRequest>, _>("settings")?.0,
    }))
}

/// Moves a user to a stage; refused (`false`) if it is not at `from`, so that a stage is written once.
///
/// # Errors
/// The database's.
pub async fn advance(
    conn: &mut PgConnection,
    id: GenerationId,
    user: i64,
    from: &str,
    to: &str,
) -> Result<bool> {
    let done = sqlx::query(
        "update generation_users set stage = $4, finished_at = case when $4 = 'done' then now() end
         where generation_id = $1 and user_id = $2 and stage = $3",
    )
    .bind(id.0)
    .bind(user)
    .bind(from)
    .bind(to)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what was read of a user.
///
/// # Errors
/// The database's.
pub async fn set_history(
    conn: &mut PgConnection,
    id: GenerationId,
    user: i64,
    history: &History,
) -> Result<()> {
    sqlx::query("update generation_users set history = $3 where generation_id = $1 and user_id = $2")
        .bind(id.0)
        .bind(user)
        .bind(Json(history))
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks a user as given up, with the reason.
///
/// # Errors
/// The database's.
pub async fn fail(conn: &mut PgConnection, id: GenerationId, user: i64, why: &str) -> Result<()> {
    sqlx::query(
        "update generation_users set stage = 'failed', error = $3, finished_at = now()
         where generation_id = $1 and user_id = $2 and stage <> 'done'",
    )
    .bind(id.0)
    .bind(user)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(())
}

/// A call of the generator, as stored.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Its id.
    pub id: Uuid,
    /// The run.
    pub generation: GenerationId,
    /// The user.
    pub user: i64,
    /// The task.
    pub task: &'a str,
    /// Prompt version.
    pub prompt_version: &'a str,
    /// Instructions.
    pub system: &'a str,
    /// Data.
    pub prompt: &'a str,
    /// Seed of the sampler.
    pub seed: u64,
    /// What came back.
    pub output: &'a concord_domain::ports::Generated,
}

/// Stores a call.
///
/// # Errors
/// The database's.
pub async fn insert_call(conn: &mut PgConnection, call: &Call<'_>) -> Result<()> {
    sqlx::query(
        "insert into calls (id, generation_id, user_id, task, prompt_version, system, prompt, output, seed,
                            prompt_tokens, output_tokens, millis, truncated)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(call.id)
    .bind(call.generation.0)
    .bind(call.user)
    .bind(call.task)
    .bind(call.prompt_version)
    .bind(call.system)
    .bind(call.prompt)
    .bind(&call.output.text)
    .bind(call.seed.cast_signed())
    .bind(i32::try_from(call.output.prompt_tokens).unwrap_or(i32::MAX))
    .bind(i32::try_from(call.output.output_tokens).unwrap_or(i32::MAX))
    .bind(call.output.millis.cast_signed())
    .bind(call.output.truncated)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what rules left out of a call's output.
///
/// # Errors
/// The database's.
pub async fn set_dropped(conn: &mut PgConnection, call: Uuid, dropped: &serde_json::Value) -> Result<()> {
    sqlx::query("update calls set dropped = $2 where id = $1").bind(call).bind(dropped).execute(conn).await?;
    Ok(())
}

/// Runs, newest first; only `id` if given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<GenerationId>, limit: i64) -> Result<Vec<Generation>> {
    let rows = sqlx::query(
        "select g.id, g.model, g.model_hash, g.prompts, g.seed, g.created_at,
                u.users, u.users_done, u.failed, u.error,
                s.interest, s.tag, s.explanation, s.judged,
                case when u.users_done > 0 and u.users_done + u.failed < u.users
                     then extract(epoch from (now() - g.created_at)) / u.users_done * (u.users - u.users_done - u.failed)
                end::bigint as seconds_left
         from generations g
         cross join lateral (select count(*) users, count(*) filter (where stage = 'done') users_done,
                count(*) filter (where stage = 'failed') failed, max(error) error
                from generation_users where generation_id = g.id) u
         cross join lateral (select count(*) filter (where task = 'interest') interest,
                count(*) filter (where task = 'tag') tag, count(*) filter (where task = 'explanation') explanation,
                count(*) filter (where judged) judged from samples where generation_id = g.id) s
         where $1::uuid is null or g.id = $1
         order by g.created_at desc limit $2",
    )
    .bind(id.map(|id| id.0))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(generation).collect()
}

fn generation(row: &sqlx::postgres::PgRow) -> Result<Generation> {
    let samples = TASKS
        .iter()
        .map(|task| Ok(((*task).to_owned(), row.try_get::<i64, _>(*task)?)))
        .collect::<std::result::Result<_, sqlx::Error>>()?;
    Ok(Generation {
        id: GenerationId(row.try_get("id")?),
        model: row.try_get("model")?,
        model_hash: row.try_get("model_hash")?,
        prompts: row.try_get("prompts")?,
        seed: row.try_get("seed")?,
        created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
        users: row.try_get("users")?,
        users_done: row.try_get("users_done")?,
        samples,
        judged: row.try_get("judged")?,
        seconds_left: row.try_get("seconds_left")?,
        failed: row.try_get("failed")?,
        error: row.try_get("error")?,
    })
}

/// Users of runs of this model whose work is not through, by run.
///
/// # Errors
/// The database's.
pub async fn open_users(
    conn: &mut PgConnection,
    model: &str,
    hash: &str,
) -> Result<Vec<(GenerationId, i64)>> {
    let rows: Vec<(uuid::Uuid, i64)> = sqlx::query_as(
        "select u.generation_id, u.user_id from generation_users u join generations g on g.id = u.generation_id
         where g.model = $1 and g.model_hash = $2 and u.stage not in ('done', 'failed') order by g.created_at, g.id, u.user_id",
    )
    .bind(model)
    .bind(hash)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, user)| (GenerationId(id), user)).collect())
}
