//! Rounds of self-training and their steps.

use crate::Result;
use concord_domain::{
    AccountId, Actor, GenerationId, Role, Round, RoundCost, RoundPlan, RoundSchedule, RoundStep,
};
use jiff_sqlx::Timestamp;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Stores a round with its steps, none begun.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, id: Uuid, plan: &RoundPlan, by: AccountId) -> Result<()> {
    sqlx::query("insert into rounds (id, plan, created_by) values ($1, $2, $3)")
        .bind(id)
        .bind(Json(plan))
        .bind(by.0)
        .execute(&mut *conn)
        .await?;
    let names: Vec<String> = plan.steps().iter().map(|it| (*it).to_owned()).collect();
    sqlx::query(
        "insert into round_steps (round_id, place, name)
         select $1, place, name from unnest($2::text[]) with ordinality t (name, place)",
    )
    .bind(id)
    .bind(names)
    .execute(conn)
    .await?;
    Ok(())
}

/// Rounds, newest first; only `id` if given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, id: Option<Uuid>) -> Result<Vec<Round>> {
    let rows = sqlx::query(
        "select r.*, a.email from rounds r join accounts a on a.id = r.created_by
         where $1::uuid is null or r.id = $1 order by r.number desc limit 50",
    )
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    let mut rounds = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: Uuid = row.try_get("id")?;
        let steps = steps(conn, id).await?;
        let mut round = Round {
            id,
            number: row.try_get("number")?,
            plan: row.try_get::<Json<RoundPlan>, _>("plan")?.0,
            state: row.try_get("state")?,
            why: row.try_get("why")?,
            by: row.try_get("email")?,
            created_at: row.try_get::<Timestamp, _>("created_at")?.to_jiff(),
            finished_at: row.try_get::<Option<Timestamp>, _>("finished_at")?.map(Timestamp::to_jiff),
            steps,
            cost: RoundCost::default(),
        };
        round.cost = cost(conn, &round).await?;
        rounds.push(round);
    }
    Ok(rounds)
}

async fn steps(conn: &mut PgConnection, round: Uuid) -> Result<Vec<RoundStep>> {
    let rows = sqlx::query("select * from round_steps where round_id = $1 order by place")
        .bind(round)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let time = |name| {
                Ok::<_, sqlx::Error>(row.try_get::<Option<Timestamp>, _>(name)?.map(Timestamp::to_jiff))
            };
            Ok(RoundStep {
                name: row.try_get("name")?,
                state: row.try_get("state")?,
                message: row.try_get("message")?,
                detail: row.try_get("detail")?,
                started_at: time("started_at")?,
                finished_at: time("finished_at")?,
            })
        })
        .collect()
}

async fn cost(conn: &mut PgConnection, round: &Round) -> Result<RoundCost> {
    let runs: Vec<Uuid> = ["refresh", "generate", "generate_new"]
        .iter()
        .filter_map(|step| round.made(step, "generation"))
        .collect();
    let row = sqlx::query(
        "with calls_of as (
            select count(*) n, coalesce(sum(prompt_tokens), 0)::bigint prompt, coalesce(sum(output_tokens), 0)::bigint output,
                   coalesce(sum(millis), 0)::double precision / 1000 seconds
            from calls where generation_id = any($1)),
         judged as (
            -- What a sample cost stands in each of its verdicts.
            select coalesce(sum(tokens), 0)::bigint tokens, coalesce(sum(millis), 0)::double precision / 1000 seconds
            from (select max(v.prefilled_tokens) tokens, max(v.millis) millis from samples s join verdicts v on v.sample_id = s.id
                  where s.generation_id = any($1) group by s.id) each)
         select c.*, j.tokens judge_tokens, j.seconds judge_seconds,
                (select count(*) from labels l join samples s on s.id = l.sample_id
                 where s.generation_id = any($1) and l.phase = 'blind') labels
         from calls_of c, judged j",
    )
    .bind(&runs)
    .fetch_one(conn)
    .await?;
    Ok(RoundCost {
        calls: row.try_get("n")?,
        prompt_tokens: row.try_get("prompt")?,
        output_tokens: row.try_get("output")?,
        generator_seconds: row.try_get("seconds")?,
        judge_tokens: row.try_get("judge_tokens")?,
        judge_seconds: row.try_get("judge_seconds")?,
        labels: row.try_get("labels")?,
        training_tokens: round.step("train").and_then(|it| it.detail["tokens"].as_i64()).unwrap_or(0),
    })
}

/// Who started a round, as they may act now; `None` if there is no such round.
///
/// # Errors
/// The database's.
pub async fn starter(conn: &mut PgConnection, id: Uuid) -> Result<Option<Actor>> {
    let row: Option<(Uuid, String, String)> = sqlx::query_as(
        "select a.id, a.email, a.role from rounds r join accounts a on a.id = r.created_by where r.id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(account, email, role)| Actor {
        account: AccountId(account),
        email,
        role: role.parse().unwrap_or(Role::Annotator),
        scopes: None,
    }))
}

/// The schedule, if there is one.
///
/// # Errors
/// The database's.
pub async fn schedule(conn: &mut PgConnection) -> Result<Option<RoundSchedule>> {
    let row = sqlx::query("select s.*, a.email from round_schedule s join accounts a on a.id = s.created_by")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(RoundSchedule {
            plan: row.try_get::<Json<RoundPlan>, _>("plan")?.0,
            every_days: u32::try_from(row.try_get::<i32, _>("every_days")?).unwrap_or(1),
            next_at: Some(row.try_get::<Timestamp, _>("next_at")?.to_jiff()),
            by: row.try_get("email")?,
        })
    })
    .transpose()
}

/// Puts a schedule in the place of the one there is, or takes that away.
///
/// # Errors
/// The database's.
pub async fn set_schedule(
    conn: &mut PgConnection,
    schedule: Option<&RoundSchedule>,
    by: AccountId,
) -> Result<()> {
    let Some(new) = schedule else {
        sqlx::query("delete from round_schedule").execute(conn).await?;
        return Ok(());
    };
    sqlx::query(
        "insert into round_schedule (plan, every_days, next_at, created_by) values ($1, $2, coalesce($3, now()), $4)
         on conflict (one) do update set plan = excluded.plan, every_days = excluded.every_days,
                next_at = excluded.next_at, created_by = excluded.created_by",
    )
    .bind(Json(&new.plan))
    .bind(i32::try_from(new.every_days).unwrap_or(i32::MAX))
    .bind(new.next_at.map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(by.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the round that is due, if no round is open, and sets when the next one is; gives its plan and who starts it.
/// Servers that look at once take one.
///
/// # Errors
/// The database's.
pub async fn take_due(conn: &mut PgConnection) -> Result<Option<(RoundPlan, Actor)>> {
    let row = sqlx::query(
        "update round_schedule s set next_at = now() + make_interval(days => every_days) from accounts a
         where a.id = s.created_by and s.next_at <= now() and not exists (select from rounds where state = 'open')
         returning s.plan, a.id, a.email, a.role",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let role: String = row.try_get("role")?;
        let actor = Actor {
            account: AccountId(row.try_get("id")?),
            email: row.try_get("email")?,
            role: role.parse().unwrap_or(Role::Annotator),
            scopes: None,
        };
        Ok((row.try_get::<Json<RoundPlan>, _>("plan")?.0, actor))
    })
    .transpose()
}

/// Locks a round for this transaction; `false` if it is not open any more.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    let state: Option<String> = sqlx::query_scalar("select state from rounds where id = $1 for update")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(state.as_deref() == Some("open"))
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It runs.
    Running,
    /// It waits for people.
    People,
    /// It is done.
    Done,
    /// It has nothing to do.
    Skipped,
    /// It failed.
    Failed,
}

/// Sets a step's state and message, and adds to its detail.
///
/// # Errors
/// The database's.
pub async fn set_step(
    conn: &mut PgConnection,
    round: Uuid,
    step: &str,
    state: StepState,
    message: Option<&str>,
    detail: &Value,
) -> Result<()> {
    let (word, ended) = match state {
        StepState::Running => ("running", false),
        StepState::People => ("people", false),
        StepState::Done => ("done", true),
        StepState::Skipped => ("skipped", true),
        StepState::Failed => ("failed", true),
    };
    sqlx::query(
        "update round_steps set state = $3, message = $4, detail = detail || $5, started_at = coalesce(started_at, now()),
                finished_at = case when $6 then now() end
         where round_id = $1 and name = $2",
    )
    .bind(round)
    .bind(step)
    .bind(word)
    .bind(message)
    .bind(detail)
    .bind(ended)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a round: `done`, `failed` or `stopped`; `false` if it had ended.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut PgConnection, id: Uuid, state: &str, why: Option<&str>) -> Result<bool> {
    let done = sqlx::query(
        "update rounds set state = $2, why = $3, finished_at = now() where id = $1 and state = 'open'",
    )
    .bind(id)
    .bind(state)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How far a generation is, to its last label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Far {
    /// Users.
    pub users: i64,
    /// Users that are through or have failed.
    pub ended: i64,
    /// Of these, failed.
    pub failed: i64,
    /// Samples written.
    pub samples: i64,
    /// Samples that wait for a verdict.
    pub unjudged: i64,
    /// Samples drawn for people.
    pub drawn: i64,
    /// Of these, without all their labels.
    pub unlabelled: i64,
}

/// How far a generation is.
///
/// # Errors
/// The database's.
pub async fn far(conn: &mut PgConnection, id: GenerationId) -> Result<Far> {
    let row = sqlx::query(
        "select u.*, s.* from
            (select count(*) users, count(*) filter (where stage in ('done', 'failed')) ended,
                    count(*) filter (where stage = 'failed') failed
             from generation_users where generation_id = $1) u,
            (select count(*) samples, count(*) filter (where not judged and overlap = 0) unjudged,
                    count(*) filter (where overlap > 0) drawn,
                    count(*) filter (where overlap > 0 and (open_slots > 0 or exists (
                        select from assignments a where a.sample_id = samples.id and a.state = 'leased'))) unlabelled
             from samples where generation_id = $1) s",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await?;
    Ok(Far {
        users: row.try_get("users")?,
        ended: row.try_get("ended")?,
        failed: row.try_get("failed")?,
        samples: row.try_get("samples")?,
        unjudged: row.try_get("unjudged")?,
        drawn: row.try_get("drawn")?,
        unlabelled: row.try_get("unlabelled")?,
    })
}

/// The users of a generation who belong to the audit half and are through.
///
/// # Errors
/// The database's.
pub async fn audited_users(conn: &mut PgConnection, id: GenerationId) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select g.user_id from generation_users g join users u on u.id = g.user_id
         where g.generation_id = $1 and u.half = 'audit' and g.stage = 'done' order by g.user_id",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?)
}
