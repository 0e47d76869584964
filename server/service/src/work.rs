//! The home page, and starting and watching slow work.

use crate::error::{OrInternal, of_model};
use crate::generation::{self, GenerateArgs};
use crate::jobs::ended_short;
use crate::models::Models;
use async_trait::async_trait;
use concord_agreement::wilson95;
use concord_domain::api::{self, Result};
use concord_domain::ports::ModelInfo;
use concord_domain::{
    Actor, Capability, Error, Generation, GenerationId, GenerationRequest, Job, JobId, LeadOverview,
    ModelRole, Overview, Proportion, TaskCounts,
};
use concord_store::models::{self, Which};
use concord_store::{events, generations, jobs, overview, review, users};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A user needs so many reliable behaviours for an interest to show.
pub(crate) const MIN_RELIABLE: i64 = 5;

/// Work use cases.
#[derive(Clone)]
pub struct WorkService {
    pool: PgPool,
    models: Models,
}

impl WorkService {
    /// On this database and these models.
    #[must_use]
    pub fn new(pool: PgPool, models: Models) -> Self {
        Self { pool, models }
    }

    /// Plans a generation by this model. `queue`: with a job a user; without, whoever asked runs them.
    ///
    /// # Errors
    /// [`Error`]: the right, the request, the draw.
    pub async fn plan(
        &self,
        actor: &Actor,
        request: GenerationRequest,
        model: &ModelInfo,
        queue: bool,
    ) -> Result<Generation> {
        actor.require(Capability::Generate)?;
        check(&request)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let drawn = draw(&mut tx, &request).await?;
        let id = plan_in(&mut tx, actor, &request, model, &drawn, queue).await?;
        let generation = generations::list(&mut tx, Some(id), 1).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        generation.ok_or_else(|| Error::not_found("generation"))
    }

    /// A generator of the registry by its name.
    async fn trained(&self, name: &str) -> Result<ModelInfo> {
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = models::list(&mut conn, Which::Name(name)).await.or_internal()?.pop();
        drop(conn);
        let unknown =
            || Error::invalid("model", "a generator of the registry: `concord evolve models` lists them");
        let found = found.filter(|it| it.place.role == ModelRole::Generator).ok_or_else(unknown)?;
        let model = self.models.generator.with_weights(&found.sha256).await.map_err(of_model)?;
        model.ok_or_else(unknown)?.info().await.map_err(of_model)
    }

    async fn lead_overview(&self, conn: &mut PgConnection) -> Result<LeadOverview> {
        let (users, items, behaviours) = overview::logs(conn).await.or_internal()?;
        let tasks = overview::tasks(conn).await.or_internal()?.into_iter().map(task_counts).collect();
        Ok(LeadOverview {
            users,
            items,
            behaviours,
            tasks,
            generation: generations::list(conn, None, 1).await.or_internal()?.pop(),
            jobs: jobs::recent(conn, 8).await.or_internal()?,
            model_trouble: self.models.trouble().await,
        })
    }
}

#[async_trait]
impl api::Work for WorkService {
    async fn overview(&self, actor: &Actor) -> Result<Overview> {
        actor.require(Capability::ReadOwn)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let mine = review::progress(&mut conn, actor.account).await.or_internal()?;
        let lead =
            if actor.can(Capability::ReadAll) { Some(self.lead_overview(&mut conn).await?) } else { None };
        Ok(Overview { mine, lead })
    }

    async fn generate(&self, actor: &Actor, request: GenerationRequest) -> Result<Generation> {
        actor.require(Capability::Generate)?;
        let model = match &request.model {
            None => self.models.generator.info().await.map_err(of_model)?,
            Some(name) => self.trained(name).await?,
        };
        self.plan(actor, request, &model, true).await
    }

    async fn generation(&self, actor: &Actor, id: GenerationId) -> Result<Generation> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = generations::list(&mut conn, Some(id), 1).await.or_internal()?.pop();
        found.ok_or_else(|| Error::not_found("generation"))
    }

    async fn generations(&self, actor: &Actor) -> Result<Vec<Generation>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        generations::list(&mut conn, None, 50).await.or_internal()
    }

    async fn jobs(&self, actor: &Actor) -> Result<Vec<Job>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        jobs::recent(&mut conn, 100).await.or_internal()
    }

    async fn cancel(&self, actor: &Actor, id: JobId) -> Result<()> {
        actor.require(Capability::Generate)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let cancelled = jobs::cancel(&mut tx, id).await.or_internal()?;
        let (kind, args) = cancelled.ok_or_else(|| Error::not_found("a job that has not ended"))?;
        ended_short(&mut tx, &kind, &args, "cancelled").await.or_internal()?;
        events::append(&mut tx, Some(actor.account), "cancel", &id.to_string(), &serde_json::json!({}))
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }
}

/// Plans a generation over these users in the caller's transaction; gives its id.
pub(crate) async fn plan_in(
    tx: &mut PgConnection,
    actor: &Actor,
    request: &GenerationRequest,
    model: &ModelInfo,
    drawn: &[i64],
    queue: bool,
) -> Result<GenerationId> {
    actor.require(Capability::Generate)?;
    let id = GenerationId(Uuid::now_v7());
    let prompts = generation::prompt_versions().or_internal()?;
    let created_by = Some(actor.account);
    let new = generations::NewGeneration { id, request, model, prompts: &prompts, created_by };
    generations::insert(tx, &new, drawn).await.or_internal()?;
    for user in drawn.iter().filter(|_| queue) {
        let job = GenerateArgs { generation: id, user: *user }.generate_job(created_by);
        let job = jobs::NewJob { priority: request.priority, ..job };
        jobs::enqueue(tx, &job).await.or_internal()?;
    }
    let detail = serde_json::json!({"users": drawn.len(), "model": model.name});
    events::append(tx, created_by, "generate", &id.to_string(), &detail).await.or_internal()?;
    Ok(id)
}

fn check(request: &GenerationRequest) -> Result<()> {
    let bounds = [
        ("users", request.users, 1..=100_000),
        ("interests", request.interests, 1..=20),
        ("tags", request.tags, 1..=60),
        ("explanations", request.explanations, 0..=50),
        ("history_tokens", request.history_tokens, 100..=32_000),
        ("personas", request.personas, 0..=6),
        ("candidates", request.candidates, 1..=8),
    ];
    if !(0..=19).contains(&request.priority) {
        return Err(Error::invalid("priority", "between 0 and 19"));
    }
    if request.user_keys.len() > 100_000 {
        return Err(Error::invalid("user_keys", "at most 100000"));
    }
    for (field, value, range) in bounds {
        if !range.contains(&value) {
            return Err(Error::invalid(field, format!("between {} and {}", range.start(), range.end())));
        }
    }
    Ok(())
}

async fn draw(conn: &mut PgConnection, request: &GenerationRequest) -> Result<Vec<i64>> {
    let mut drawn = Vec::new();
    let mut keys = request.user_keys.clone();
    keys.sort_unstable();
    keys.dedup();
    for key in &keys {
        let user = users::by_key(conn, key).await.or_internal()?;
        drawn.push(user.ok_or_else(|| Error::invalid("user_keys", format!("no user {key}")))?.id);
    }
    if request.user_keys.is_empty() {
        let n = i64::from(request.users);
        let picked = users::pick_for_generation(conn, n, request.seed.cast_signed(), MIN_RELIABLE)
            .await
            .or_internal()?;
        drawn.extend(picked.into_iter().map(|user| user.id));
    }
    if drawn.is_empty() {
        return Err(Error::conflict(
            "no_users",
            format!(
                "no user has {MIN_RELIABLE} reliable behaviours on titled items: import logs first, or run `concord demo`"
            ),
        ));
    }
    Ok(drawn)
}

fn task_counts(row: overview::TaskRow) -> TaskCounts {
    let ci = wilson95(row.agreed.cast_unsigned(), row.compared.cast_unsigned());
    TaskCounts {
        task: row.task,
        samples: row.samples,
        judged: row.judged,
        labelled: row.labelled,
        agreement: Proportion { k: row.agreed, n: row.compared, ci },
    }
}
