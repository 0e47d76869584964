//! Rounds: generate, judge, label, export, train, evaluate, promote or refuse. A job takes a round as far as it comes,
//! and comes back while something else works or people are asked. Each step stores what it made in the transaction
//! that says that it is done, so a worker that is killed leaves a round where it was.

mod judges;
mod log;
mod steps;

use crate::exports::ExportsService;
use crate::jobs::{JobError, Progress};
use crate::lens::Lens;
use crate::models::Models;
use async_trait::async_trait;
use concord_domain::{Actor, ExportId, GenerationId, JobId, Round, RoundPlan, RoundTraining, TrainedModel};
use concord_store::jobs::NewJob;
use concord_store::rounds::{self, StepState};
use concord_store::{events, jobs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use uuid::Uuid;

/// Seconds after which a round that waits is looked at again.
const AGAIN: i32 = 2;

/// What a round job works on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RoundArgs {
    /// The round.
    pub round: Uuid,
}

impl RoundArgs {
    /// The job that takes the round as far as it comes.
    #[must_use]
    pub fn job(&self) -> NewJob {
        NewJob {
            id: JobId(Uuid::now_v7()),
            kind: "round",
            args: json!(self),
            priority: 10,
            dedupe_key: Some(self.key()),
            created_by: None,
        }
    }

    pub(super) fn key(&self) -> String {
        format!("round:{}", self.round)
    }
}

/// What a trainer is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// From what.
    pub source: Source,
    /// Name of the new model.
    pub name: String,
    /// A model of the registry or of the catalogue.
    pub base: String,
    /// How.
    pub training: RoundTraining,
    /// Decides order and first values.
    pub seed: u64,
}

/// What a model learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The folder of an export.
    Export(String),
    /// What a round has gathered of the log.
    Log(Uuid),
}

/// Trains a generator: what rounds need of weights, which use cases know nothing of.
#[async_trait]
pub trait Trainer: Send + Sync {
    /// Trains, or goes on where the same lesson was cut off. Gives the model, which is not in the registry yet, and how
    /// many tokens it read.
    ///
    /// # Errors
    /// [`JobError`] with the reason in words.
    async fn train(&self, lesson: Lesson, progress: &Progress) -> Result<(TrainedModel, u64), JobError>;
}

/// Takes rounds further.
#[derive(Clone)]
pub struct Rounds {
    /// The database.
    pub pool: PgPool,
    /// The models.
    pub models: Models,
    /// Exports.
    pub exports: ExportsService,
    /// What texts are compared through.
    pub lens: Arc<Lens>,
    /// Trains.
    pub trainer: Arc<dyn Trainer>,
}

/// What a look at a step came to.
enum Looked {
    /// It is done, with this to store.
    Done(Value),
    /// It has nothing to do, and neither have those after it that need a new model: why.
    Nothing(String),
    /// Others work on it: how far they are.
    Works(String),
    /// People are asked: how far they are.
    People(String),
}

impl Rounds {
    /// Takes a round as far as it comes.
    ///
    /// # Errors
    /// [`JobError`]: that it waits, or why it failed.
    pub async fn run(&self, args: RoundArgs, progress: &Progress) -> Result<(), JobError> {
        loop {
            let mut conn = self.pool.acquire().await?;
            let round = rounds::list(&mut conn, Some(args.round)).await?.pop();
            let actor = rounds::starter(&mut conn, args.round).await?;
            drop(conn);
            let (Some(round), Some(actor)) = (round, actor) else { return Ok(()) };
            if round.state != "open" {
                return Ok(());
            }
            let next = round.steps.iter().position(|it| !matches!(it.state.as_str(), "done" | "skipped"));
            let Some(at) = next else { return self.end(round.id, "done", None).await };
            let name = round.steps[at].name.clone();
            progress.say(count(at), count(round.steps.len()), &name).await;
            let looked = match self.look(&round, &actor, &name, progress).await {
                Ok(looked) => looked,
                Err(error) if error.again_after.is_some() => return Err(error),
                Err(error) => return self.fail(round.id, &name, error.why).await,
            };
            let mut tx = self.pool.begin().await?;
            if !rounds::lock(&mut tx, round.id).await? {
                return Ok(());
            }
            let waits = match looked {
                Looked::Done(detail) => {
                    rounds::set_step(&mut tx, round.id, &name, StepState::Done, None, &detail).await?;
                    None
                }
                Looked::Nothing(why) => {
                    let after = round.steps[at..].iter().skip_while(|it| it.name != "decide").skip(1).count();
                    for step in &round.steps[at..round.steps.len() - after] {
                        let none = json!({});
                        rounds::set_step(
                            &mut tx,
                            round.id,
                            &step.name,
                            StepState::Skipped,
                            Some(&why),
                            &none,
                        )
                        .await?;
                    }
                    None
                }
                Looked::Works(how) => Some((StepState::Running, how)),
                Looked::People(how) => Some((StepState::People, how)),
            };
            if let Some((state, how)) = &waits {
                rounds::set_step(&mut tx, round.id, &name, *state, Some(how), &json!({})).await?;
            }
            tx.commit().await?;
            if let Some((_, why)) = waits {
                return Err(JobError { why, again_after: Some(AGAIN), counted: false });
            }
        }
    }

    async fn end(&self, id: Uuid, state: &str, why: Option<&str>) -> Result<(), JobError> {
        let mut tx = self.pool.begin().await?;
        if rounds::end(&mut tx, id, state, why).await? {
            let detail = json!({"state": state});
            events::append(&mut tx, None, "round_ended", &id.to_string(), &detail).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn fail(&self, id: Uuid, step: &str, why: String) -> Result<(), JobError> {
        let mut tx = self.pool.begin().await?;
        rounds::set_step(&mut tx, id, step, StepState::Failed, Some(&why), &json!({})).await?;
        tx.commit().await?;
        self.end(id, "failed", Some(&why)).await?;
        Err(JobError::give_up(why))
    }

    async fn look(
        &self,
        round: &Round,
        actor: &Actor,
        step: &str,
        progress: &Progress,
    ) -> Result<Looked, JobError> {
        match step {
            "refresh" => match round.made("refresh", "generation") {
                None => self.plan_refresh(round, actor).await,
                Some(id) => self.written(GenerationId(id)).await,
            },
            "gather" => self.gather(round, progress).await,
            "hit_rate" => self.hit_rate(round).await,
            "generate" => match round.made("generate", "generation") {
                None => self.plan_old(round, actor).await,
                Some(id) => self.written(GenerationId(id)).await,
            },
            "judge" => self.judged(steps::of(round, "generate")?).await,
            "label" => self.labelled(steps::of(round, "generate")?).await,
            "export" => match round.made("export", "export") {
                None => self.plan_export(round, actor).await,
                Some(id) => self.exported(ExportId(id)).await,
            },
            "train" => self.train(round, actor, progress).await,
            "generate_new" => match round.made("generate_new", "generation") {
                None => self.plan_new(round, actor).await,
                Some(id) => self.written(GenerationId(id)).await,
            },
            "judge_new" => self.judged(steps::of(round, "generate_new")?).await,
            "label_new" => self.labelled(steps::of(round, "generate_new")?).await,
            "decide" => self.decide(round, actor).await,
            "teach_judge" => match judges::runs(round) {
                None => self.plan_heads(round, actor).await,
                Some(runs) => self.taught(&runs).await,
            },
            "measure" => self.measure(actor).await,
            other => Err(JobError::give_up(format!("a step of another version of Concord: {other}"))),
        }
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Starts a round in the caller's transaction.
pub(super) async fn start(
    tx: &mut PgConnection,
    actor: &Actor,
    plan: &RoundPlan,
) -> concord_store::Result<Uuid> {
    let id = Uuid::now_v7();
    rounds::insert(tx, id, plan, actor.account).await?;
    jobs::enqueue(tx, &RoundArgs { round: id }.job()).await?;
    events::append(tx, Some(actor.account), "round_started", &id.to_string(), &json!(plan)).await?;
    Ok(id)
}
