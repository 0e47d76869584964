//! The judges' part of a round: the head of each task's judge learns from all labels of the train half, and takes the
//! place of what stands only through the gate of judges (specificity, and κ within a margin).

use super::{Looked, Rounds};
use crate::jobs::JobError;
use crate::judges::train;
use concord_domain::{Actor, HeadRequest, Round, TASKS};
use concord_store::rounds::{self, StepState};
use concord_store::{heads, judges};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The runs that a round has begun, once it has.
pub(super) fn runs(round: &Round) -> Option<Vec<Uuid>> {
    let runs = round.step("teach_judge")?.detail["runs"].as_array()?;
    Some(runs.iter().filter_map(|it| it.as_str()?.parse().ok()).collect())
}

impl Rounds {
    /// Plans a run for each task that has a judge, and stores their ids with the step.
    pub(super) async fn plan_heads(&self, round: &Round, actor: &Actor) -> Result<Looked, JobError> {
        let request = HeadRequest { seed: round.plan.seed, ..HeadRequest::default() };
        let mut tx = self.pool.begin().await?;
        if !rounds::lock(&mut tx, round.id).await? {
            return Err(JobError::again(0, "the round was stopped"));
        }
        let mut begun = Vec::new();
        for task in TASKS {
            if !judges::configs(&mut tx, task, true).await?.is_empty() {
                begun.push(train::begin(&mut tx, actor, task, &request).await?);
            }
        }
        let detail = json!({"runs": begun});
        rounds::set_step(&mut tx, round.id, "teach_judge", StepState::Running, None, &detail).await?;
        tx.commit().await?;
        Ok(Looked::Works("begun".into()))
    }

    /// How far the runs are. One that failed, or whose judge was refused, is a result and not the round's failure.
    pub(super) async fn taught(&self, runs: &[Uuid]) -> Result<Looked, JobError> {
        let mut conn = self.pool.acquire().await?;
        let mut ended = Map::new();
        for id in runs {
            let run = heads::runs(&mut conn, None, Some(*id)).await?.pop();
            if let Some(run) = run.filter(|it| it.state != "queued") {
                ended.insert(run.task, Value::String(run.state));
            }
        }
        if ended.len() < runs.len() {
            return Ok(Looked::Works(format!("{} of {} judges", ended.len(), runs.len())));
        }
        Ok(Looked::Done(Value::Object(ended)))
    }
}
