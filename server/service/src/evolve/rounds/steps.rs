//! What each step of a round does, and how far it is.

use super::{Lesson, Looked, Rounds, Source};
use crate::audit::{AuditService, fold as fold_audit};
use crate::evolve::{promote, register};
use crate::exports::ExportArgs;
use crate::jobs::{JobError, Progress};
use crate::work;
use concord_agreement::gate::labels_for;
use concord_domain::api::Audit as _;
use concord_domain::{
    Actor, AuditFilter, Card, Error, ExportId, ExportPolicy, GateRequest, GenerationId, GenerationRequest,
    JobState, ModelPlace, Round, RoundMeasure,
};
use concord_store::models::{self, Which};
use concord_store::rounds::{self, StepState};
use concord_store::{exports, jobs, judges, users};
use serde_json::{Value, json};
use uuid::Uuid;

impl Rounds {
    /// Plans what the standing model writes, for users of both halves, and stores the id with the step.
    pub(super) async fn plan_old(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let plan = &round.plan;
        let model = self.models.generator.info().await?;
        let mut tx = self.pool.begin().await?;
        let mut drawn = Vec::new();
        for (half, n) in [("train", plan.users), ("audit", plan.audit_users)] {
            if half == "train" && plan.log.is_some() {
                continue;
            }
            let (lang, seed) = (plan.lang.as_deref(), seed(round));
            let some = users::pick_of_half(&mut tx, half, lang, n.into(), seed, work::MIN_RELIABLE).await?;
            if some.is_empty() {
                return Err(JobError::give_up(format!(
                    "no user of the {half} half has behaviour enough to read an interest from: import logs first"
                )));
            }
            drawn.extend(some);
        }
        let generation = work::plan_in(&mut tx, actor, &self.request(round, None), &model, &drawn, true)
            .await
            .map_err(said)?;
        let detail = json!({"generation": generation, "model": model.name, "users": drawn.len()});
        self.begun(tx, round, "generate", &detail).await
    }

    /// Plans what the new model writes for the same users of the audit half.
    pub(super) async fn plan_new(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let id = round.made("train", "model").ok_or_else(|| JobError::give_up("there is no new model"))?;
        let mut tx = self.pool.begin().await?;
        let found = models::list(&mut tx, Which::Id(id)).await?.pop();
        let found = found.ok_or_else(|| JobError::give_up("the new model is not in the registry"))?;
        let drawn = rounds::audited_users(&mut tx, of(round, "generate")?).await?;
        if drawn.is_empty() {
            return Ok(Looked::Nothing(
                "the standing model is through with no user of the audit half".into(),
            ));
        }
        let opened = self.models.generator.with_weights(&found.sha256).await?;
        let opened = opened.ok_or_else(|| {
            JobError::give_up("models trained here do not run on a server elsewhere: serve the new one there")
        })?;
        let model = opened.info().await?;
        let request = self.request(round, Some(model.name.clone()));
        let generation = work::plan_in(&mut tx, actor, &request, &model, &drawn, true).await.map_err(said)?;
        let detail = json!({"generation": generation, "model": model.name, "users": drawn.len()});
        self.begun(tx, round, "generate_new", &detail).await
    }

    fn request(&self, round: &Round, model: Option<String>) -> GenerationRequest {
        let plan = &round.plan;
        GenerationRequest {
            interests: plan.interests,
            tags: plan.tags,
            explanations: plan.explanations,
            history_tokens: plan.history_tokens,
            // The same for both models: what differs is the model.
            seed: plan.seed,
            // What comes next is kept from both where it is asked for.
            hold_out: plan.log.is_some(),
            model,
            ..GenerationRequest::default()
        }
    }

    /// Stores that a step has begun, with what it made, in the transaction that made it.
    pub(super) async fn begun(
        &self,
        mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
        round: &Round,
        step: &str,
        detail: &Value,
    ) -> Result<Looked, JobError> {
        if !rounds::lock(&mut tx, round.id).await? {
            return Err(JobError::again(0, "the round was stopped"));
        }
        rounds::set_step(&mut tx, round.id, step, StepState::Running, None, detail).await?;
        tx.commit().await?;
        Ok(Looked::Works("begun".into()))
    }

    async fn far(&self, id: GenerationId) -> Result<rounds::Far, JobError> {
        Ok(rounds::far(&mut *self.pool.acquire().await?, id).await?)
    }

    pub(super) async fn written(&self, id: GenerationId) -> Result<Looked, JobError> {
        let far = self.far(id).await?;
        if far.ended < far.users {
            return Ok(Looked::Works(format!("{} of {} users", far.ended, far.users)));
        }
        if far.samples == 0 {
            return Err(JobError::give_up(format!("nothing was written for any of {} users", far.users)));
        }
        Ok(Looked::Done(json!({"samples": far.samples, "failed": far.failed})))
    }

    pub(super) async fn judged(&self, id: GenerationId) -> Result<Looked, JobError> {
        let far = self.far(id).await?;
        if far.unjudged > 0 {
            return Ok(Looked::Works(format!("{} of {} samples", far.samples - far.unjudged, far.samples)));
        }
        Ok(Looked::Done(json!({"judged": far.samples, "drawn": far.drawn})))
    }

    pub(super) async fn labelled(&self, id: GenerationId) -> Result<Looked, JobError> {
        let far = self.far(id).await?;
        if far.unlabelled > 0 {
            return Ok(Looked::People(format!(
                "{} of {} samples labelled",
                far.drawn - far.unlabelled,
                far.drawn
            )));
        }
        Ok(Looked::Done(json!({"labelled": far.drawn})))
    }

    pub(super) async fn plan_export(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let policy = ExportPolicy {
            seed: u32::try_from(round.plan.seed).unwrap_or(u32::MAX),
            ..ExportPolicy::default()
        };
        let id = ExportId(Uuid::now_v7());
        let mut tx = self.pool.begin().await?;
        self.exports.insert(&mut tx, actor, id, &policy).await.map_err(said)?;
        let detail = json!({"export": id});
        self.begun(tx, round, "export", &detail).await
    }

    pub(super) async fn exported(&self, id: ExportId) -> Result<Looked, JobError> {
        let mut conn = self.pool.acquire().await?;
        let export = exports::list(&mut conn, Some(id), 1).await?.pop();
        let export = export.ok_or_else(|| JobError::give_up("the export is gone"))?;
        Ok(match export.state {
            JobState::Done => Looked::Done(json!({"rows": export.rows})),
            // Nothing agreed is an outcome: there is nothing to learn this time.
            JobState::Failed => Looked::Nothing(export.error.unwrap_or_else(|| "the export failed".into())),
            JobState::Cancelled => return Err(JobError::give_up("the export was cancelled")),
            _ => {
                // A worker that was killed leaves the job to the next; one that was never queued is queued here.
                jobs::enqueue(&mut conn, &ExportArgs { export: id }.job(None)).await?;
                Looked::Works("writing".into())
            }
        })
    }

    /// Trains, and puts the model into the registry with the mark that the step is done.
    pub(super) async fn train(
        &self,
        round: &Round,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Looked, JobError> {
        let mut tx = self.pool.begin().await?;
        if !rounds::lock(&mut tx, round.id).await? {
            return Err(JobError::again(0, "the round was stopped"));
        }
        let source = source(&mut tx, round).await?;
        let standing = models::standing(&mut tx, &ModelPlace::generator()).await?;
        let stands = match standing {
            Some(id) => models::list(&mut tx, Which::Id(id)).await?.pop().map(|it| it.name),
            None => round.plan.base.clone(),
        };
        rounds::set_step(&mut tx, round.id, "train", StepState::Running, None, &json!({})).await?;
        tx.commit().await?;
        let base = match stands {
            Some(name) => name,
            None => self.models.generator.info().await?.name,
        };
        let lesson = Lesson {
            source,
            name: format!("{}-round-{}", plain(&base), round.number),
            base,
            training: round.plan.training.clone(),
            seed: round.plan.seed,
        };
        let (model, tokens) = self.trainer.train(lesson, progress).await?;
        let mut tx = self.pool.begin().await?;
        let id = register(&mut tx, actor, &model).await.map_err(said)?;
        let ends = |at: Option<&f64>| at.copied().filter(|it| it.is_finite());
        let detail = json!({
            "model": id, "name": model.name, "base": model.base, "tokens": tokens, "steps": model.losses.len(),
            "rows": model.settings["rows"], "left_out": model.settings["left_out"],
            "first_loss": ends(model.losses.first()), "last_loss": ends(model.losses.last()),
        });
        rounds::set_step(&mut tx, round.id, "train", StepState::Running, None, &detail).await?;
        tx.commit().await?;
        Ok(Looked::Done(json!({})))
    }

    /// The gate, in one transaction with the mark that the step is done.
    pub(super) async fn decide(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let id = round.made("train", "model").ok_or_else(|| JobError::give_up("there is no new model"))?;
        fold_audit(&self.pool).await?;
        let mut tx = self.pool.begin().await?;
        if !rounds::lock(&mut tx, round.id).await? {
            return Err(JobError::again(0, "the round was stopped"));
        }
        let request = GateRequest {
            old: Some(of(round, "generate")?),
            new: Some(of(round, "generate_new")?),
            criterion_margin: round.plan.criterion_margin,
            diversity_margin: round.plan.diversity_margin,
            ..GateRequest::default()
        };
        let done = promote(&mut tx, actor, id, &request).await.map_err(said)?;
        let detail = json!({"promotion": done.id, "kind": done.kind});
        rounds::set_step(&mut tx, round.id, "decide", StepState::Done, None, &detail).await?;
        tx.commit().await?;
        Ok(Looked::Done(detail))
    }

    pub(super) async fn measure(&self, actor: &Actor) -> Result<Looked, JobError> {
        let audit = AuditService::new(self.pool.clone());
        let report = audit.report(actor, AuditFilter::default()).await.map_err(said)?;
        let mut conn = self.pool.acquire().await?;
        let mut measures = Vec::new();
        for card in report.cards.into_iter().filter(|card| matches!(card.criterion.as_str(), "*" | "all")) {
            let configs = judges::configs(&mut conn, &card.task, true).await?;
            if configs.first().is_some_and(|it| it.judge == card.judge) {
                measures.push(measured(card));
            }
        }
        Ok(Looked::Done(json!({"measures": measures})))
    }
}

/// Probability with which so many labels show a gain.
const POWER: f64 = 0.8;

fn measured(card: Card) -> RoundMeasure {
    let labels = |gain| labels_for(card.pass_rate.corrected.est?, gain, POWER);
    RoundMeasure {
        task: card.task,
        criterion: card.criterion,
        judge: card.judge,
        kappa: card.kappa.estimate,
        specificity: card.specificity,
        labels_for_5: labels(0.05),
        labels_for_10: labels(0.10),
        pass_rate: card.pass_rate.corrected,
    }
}

/// The generation that a step made.
pub(super) fn of(round: &Round, step: &str) -> Result<GenerationId, JobError> {
    let id = round.made(step, "generation");
    id.map(GenerationId).ok_or_else(|| JobError::give_up(format!("step {step} made no generation")))
}

/// What the new model learns from.
async fn source(conn: &mut sqlx::PgConnection, round: &Round) -> Result<Source, JobError> {
    if round.plan.log.is_some() {
        return Ok(Source::Log(round.id));
    }
    let id = round.made("export", "export").ok_or_else(|| JobError::give_up("there is no export"))?;
    let export = exports::list(conn, Some(ExportId(id)), 1).await?.pop().and_then(|it| it.path);
    Ok(Source::Export(export.ok_or_else(|| JobError::give_up("the export is gone"))?))
}

/// Decides the draws of a round: other people every round, because what was learnt from some says nothing of them.
pub(super) fn seed(round: &Round) -> i64 {
    round.plan.seed.wrapping_mul(1_000).wrapping_add(round.number.cast_unsigned()).cast_signed()
}

/// The name without the rounds before: names do not grow.
fn plain(base: &str) -> &str {
    base.split("-round-").next().unwrap_or(base)
}

/// A use case's refusal: what passes is tried again.
pub(super) fn said(error: Error) -> JobError {
    match error {
        Error::Busy { .. } | Error::Unavailable { .. } | Error::Internal { .. } => {
            JobError::again(10, error.to_string())
        }
        other => JobError::give_up(other.to_string()),
    }
}
