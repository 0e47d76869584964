//! Models trained here: the registry, the gate between a new model and the place of the old one, promotion and
//! rollback.

mod diversity;
mod fold;
mod gather;
mod rounds;
mod schedule;

pub use rounds::{Lesson, RoundArgs, Rounds, Source, Trainer};
pub use schedule::start_due;

use crate::audit::{estimate, fold as fold_audit};
use crate::error::OrInternal;
use crate::judges::registry as heads;
use async_trait::async_trait;
use concord_agreement::gate::{self, Compared, Decision, Judged, Margins};
use concord_domain::api::{self, Result};
use concord_domain::{
    Actor, Capability, Error, GateDecision, GateMeasure, GateRequest, ModelPlace, ModelRole, Promotion,
    Round, RoundPlan, RoundSchedule, TrainedModel, TrainingRun,
};
use concord_store::models::{self, Which};
use concord_store::{events, gate as rows, jobs, judges, rounds as stored, training};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Seed of the gate's bootstrap: the same labels give the same decision.
const SEED: u64 = 1;

/// The registry's use cases.
#[derive(Debug, Clone)]
pub struct EvolveService {
    pool: PgPool,
}

impl EvolveService {
    /// On this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Puts a model that was trained here into the registry, with what it learnt from; gives its id there. The same
    /// model again changes nothing.
    ///
    /// # Errors
    /// [`Error`]: the right; a name that another model has.
    pub async fn register(&self, actor: &Actor, model: &TrainedModel) -> Result<Uuid> {
        actor.require(Capability::Generate)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let id = register(&mut tx, actor, model).await?;
        tx.commit().await.or_internal()?;
        Ok(id)
    }
}

/// The same in the caller's transaction, which may hold more that must come with the model.
///
/// # Errors
/// [`Error`]: a place that is none; a name that another model has.
pub async fn register(tx: &mut PgConnection, actor: &Actor, model: &TrainedModel) -> Result<Uuid> {
    model.place.check()?;
    if !models::insert(tx, model, Some(actor.account)).await.or_internal()? {
        let there = models::list(tx, Which::Name(&model.name)).await.or_internal()?.pop();
        if let Some(same) = there.filter(|it| it.sha256 == model.sha256 && it.place == model.place) {
            return Ok(same.id);
        }
        let why = format!("there is another model called {}: choose another name", model.name);
        return Err(Error::conflict("name_taken", why));
    }
    let detail = serde_json::json!({
        "role": model.place.role, "task": model.place.task, "name": model.name, "export": model.export,
        "sha256": model.sha256,
    });
    events::append(tx, Some(actor.account), "model_trained", &model.id.to_string(), &detail)
        .await
        .or_internal()?;
    Ok(model.id)
}

#[async_trait]
impl api::Evolve for EvolveService {
    async fn models(&self, actor: &Actor) -> Result<Vec<TrainedModel>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        models::list(&mut conn, Which::All).await.or_internal()
    }

    async fn promotions(&self, actor: &Actor) -> Result<Vec<Promotion>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        models::promotions(&mut conn, None).await.or_internal()
    }

    async fn promote(&self, actor: &Actor, id: Uuid, request: GateRequest) -> Result<Promotion> {
        actor.require(Capability::Generate)?;
        check(&request)?;
        // A gate that decides on what is not counted yet decides on something else than people said.
        fold_audit(&self.pool).await.or_internal()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let done = promote(&mut tx, actor, id, &request).await?;
        tx.commit().await.or_internal()?;
        Ok(done)
    }

    async fn roll_back(&self, actor: &Actor, place: ModelPlace) -> Result<Promotion> {
        actor.require(Capability::Generate)?;
        place.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        models::lock(&mut tx, &place).await.or_internal()?;
        let history = models::promotions(&mut tx, Some(&place)).await.or_internal()?;
        let last = history.iter().find(|it| it.kind != "refuse");
        let last = last.filter(|it| it.kind == "promote").ok_or_else(|| {
            Error::conflict("nothing_promoted", "no promotion stands that could be taken back")
        })?;
        let to = Change { place, kind: "rollback", model: last.replaced, replaced: last.model };
        let done = store(&mut tx, actor, to, GateDecision::default()).await?;
        heads::follow(&mut tx, &done, actor.account).await?;
        tx.commit().await.or_internal()?;
        Ok(done)
    }

    async fn demo(&self, actor: &Actor) -> Result<bool> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        Ok(concord_store::demo::world(&mut conn).await.or_internal()?.is_some())
    }

    async fn training_runs(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<TrainingRun>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = training::list(&mut conn, id).await.or_internal()?;
        if id.is_some() && found.is_empty() { Err(Error::not_found("training run")) } else { Ok(found) }
    }

    async fn rounds(&self, actor: &Actor, id: Option<Uuid>) -> Result<Vec<Round>> {
        actor.require(Capability::ReadAll)?;
        let mut conn = self.pool.acquire().await.or_internal()?;
        let found = stored::list(&mut conn, id).await.or_internal()?;
        if id.is_some() && found.is_empty() { Err(Error::not_found("round")) } else { Ok(found) }
    }

    async fn start_round(&self, actor: &Actor, plan: RoundPlan) -> Result<Round> {
        actor.require(Capability::Generate)?;
        plan.check()?;
        let mut tx = self.pool.begin().await.or_internal()?;
        let id = rounds::start(&mut tx, actor, &plan).await.or_internal()?;
        let round = stored::list(&mut tx, Some(id)).await.or_internal()?.pop();
        tx.commit().await.or_internal()?;
        round.ok_or_else(|| Error::not_found("round"))
    }

    async fn schedule(&self, actor: &Actor) -> Result<Option<RoundSchedule>> {
        actor.require(Capability::ReadAll)?;
        stored::schedule(&mut *self.pool.acquire().await.or_internal()?).await.or_internal()
    }

    async fn set_schedule(&self, actor: &Actor, schedule: Option<RoundSchedule>) -> Result<()> {
        actor.require(Capability::Generate)?;
        if let Some(new) = &schedule {
            new.check()?;
        }
        let mut tx = self.pool.begin().await.or_internal()?;
        stored::set_schedule(&mut tx, schedule.as_ref(), actor.account).await.or_internal()?;
        let detail = serde_json::json!({"every_days": schedule.map(|it| it.every_days)});
        events::append(&mut tx, Some(actor.account), "rounds_scheduled", "log", &detail)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }

    async fn stop_round(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require(Capability::Generate)?;
        let mut tx = self.pool.begin().await.or_internal()?;
        if !stored::end(&mut tx, id, "stopped", None).await.or_internal()? {
            return Err(Error::not_found("a round that has not ended"));
        }
        // A worker that trains for it notices within seconds.
        jobs::cancel_keyed(&mut tx, &RoundArgs { round: id }.key()).await.or_internal()?;
        let none = serde_json::json!({});
        events::append(&mut tx, Some(actor.account), "round_stopped", &id.to_string(), &none)
            .await
            .or_internal()?;
        tx.commit().await.or_internal()
    }
}

/// Compares and decides in the caller's transaction; the audit's counts must have caught up.
pub(crate) async fn promote(
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
    request: &GateRequest,
) -> Result<Promotion> {
    let found = models::list(tx, Which::Id(id)).await.or_internal()?.pop();
    let place = found.ok_or_else(|| Error::not_found("model"))?.place;
    models::lock(tx, &place).await.or_internal()?;
    // Read anew under the lock: it may have been promoted meanwhile.
    let found = models::list(tx, Which::Id(id)).await.or_internal()?.pop();
    let model = found.ok_or_else(|| Error::not_found("model"))?;
    if model.standing {
        return Err(Error::conflict("stands_already", format!("{} holds the place already", model.name)));
    }
    let decision = match (place.role, &place.task) {
        (ModelRole::Generator, _) => of_generator(tx, &model, request).await?,
        (ModelRole::Judge, task) => {
            of_judge(tx, &model, task.as_deref().unwrap_or_default(), request).await?
        }
    };
    let replaced = models::standing(tx, &place).await.or_internal()?;
    let kind = if decision.promote { "promote" } else { "refuse" };
    let done = store(tx, actor, Change { place, kind, model: Some(id), replaced }, decision).await?;
    heads::follow(tx, &done, actor.account).await?;
    Ok(done)
}

/// What becomes of a place.
pub(crate) struct Change {
    pub(crate) place: ModelPlace,
    pub(crate) kind: &'static str,
    pub(crate) model: Option<Uuid>,
    pub(crate) replaced: Option<Uuid>,
}

/// Records a decision and its event in the caller's transaction.
pub(crate) async fn store(
    tx: &mut PgConnection,
    actor: &Actor,
    to: Change,
    decision: GateDecision,
) -> Result<Promotion> {
    let Change { place, kind, model, replaced } = to;
    let done = Promotion {
        id: Uuid::now_v7(),
        place,
        kind: kind.to_owned(),
        model,
        replaced,
        decision,
        by: Some(actor.email.clone()),
        at: jiff::Timestamp::now(),
    };
    models::decide(tx, &done, actor.account).await.or_internal()?;
    let subject = model.map_or_else(|| "settings".to_owned(), |id| id.to_string());
    let detail = serde_json::json!({
        "role": done.place.role, "task": done.place.task, "replaced": replaced, "refused": done.decision.refused,
    });
    events::append(tx, Some(actor.account), &format!("model_{kind}"), &subject, &detail)
        .await
        .or_internal()?;
    Ok(done)
}

async fn of_generator(
    tx: &mut PgConnection,
    model: &TrainedModel,
    request: &GateRequest,
) -> Result<GateDecision> {
    let (Some(old), Some(new)) = (request.old, request.new) else {
        return Err(Error::invalid("old", "a generation of what stands, and in new one of this model"));
    };
    if old == new {
        return Err(Error::invalid("new", "another generation than the old one"));
    }
    let wrote = models::writer(tx, new).await.or_internal()?;
    if wrote.is_none_or(|(_, sha256)| sha256 != model.sha256) {
        return Err(Error::invalid("new", format!("a generation that {} has written", model.name)));
    }
    let (_, stood) =
        models::writer(tx, old).await.or_internal()?.ok_or_else(|| Error::not_found("generation"))?;
    let stands = models::standing(tx, &model.place).await.or_internal()?;
    let writer = models::list(tx, Which::Weights(&stood)).await.or_internal()?.pop();
    if writer.map(|it| it.id) != stands {
        return Err(Error::invalid("old", "a generation that the model that stands now has written"));
    }
    let audited = rows::audited(tx, old, new).await.or_internal()?;
    let written = rows::written(tx, old, new).await.or_internal()?;
    let margins = margins(request);
    apart(move || {
        let folded = fold::fold(&audited, new);
        let overall = gate::pass_rates("passes every criterion", &folded.overall, SEED);
        let criteria: Vec<Compared> =
            folded.criteria.iter().map(|(name, users)| gate::pass_rates(name, users, SEED)).collect();
        gate::generator(overall, criteria, diversity::compare(&written, new, SEED), margins)
    })
    .await
}

/// A judge is compared with the task's current one on the decisions of people that both have judged.
async fn of_judge(
    tx: &mut PgConnection,
    model: &TrainedModel,
    task: &str,
    request: &GateRequest,
) -> Result<GateDecision> {
    let current = judges::configs(tx, task, true).await.or_internal()?;
    let old = current.into_iter().next().map(|config| config.judge);
    let old =
        old.ok_or_else(|| Error::conflict("no_judge", format!("{task} has no judge to compare with")))?;
    let decisions = rows::judged_twice(tx, task, &old, &model.name).await.or_internal()?;
    let margins = margins(request);
    apart(move || {
        let mut users: BTreeMap<i64, Vec<Judged>> = BTreeMap::new();
        for it in &decisions {
            users.entry(it.cluster).or_default().push((it.people, it.old, it.new));
        }
        gate::judge(gate::judges(&users.into_values().collect::<Vec<_>>(), SEED), margins)
    })
    .await
}

/// Seconds of arithmetic at most, and not on a thread that others wait for.
async fn apart(work: impl FnOnce() -> Decision + Send + 'static) -> Result<GateDecision> {
    let decision = tokio::task::spawn_blocking(work).await.map_err(|error| crate::error::internal(&error))?;
    let measure =
        |it: Compared| GateMeasure { name: it.name, old: it.old, new: it.new, gain: estimate(it.gain) };
    Ok(GateDecision {
        promote: decision.promote,
        refused: decision.refused,
        compared: decision.compared.into_iter().map(measure).collect(),
    })
}

fn margins(request: &GateRequest) -> Margins {
    Margins {
        criterion: request.criterion_margin,
        diversity: request.diversity_margin,
        kappa: request.kappa_margin,
    }
}

fn check(request: &GateRequest) -> Result<()> {
    for (field, value) in [
        ("criterion_margin", request.criterion_margin),
        ("diversity_margin", request.diversity_margin),
        ("kappa_margin", request.kappa_margin),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::invalid(field, "between 0 and 1"));
        }
    }
    Ok(())
}
